package imap

import (
	"fmt"
	"slices"
	"strings"
)

// part is what of the server belongs to a capability and goes with it when the administrator turns it off, for clients with a bug. What is
// not grammar (response codes, attributes) asks session.has.
type part struct {
	commands []string // of the dispatch table
	words    []string // of a command's grammar, "SELECT QRESYNC"; those of UID commands are with the plain ones
	needs    []string // capabilities without which this one is off as well
}

// parts has every capability that can be turned off. LITERAL+ and LITERAL- are no longer offered then, but still taken: where a command ends
// is not a matter of opinion.
var parts = map[string]part{
	"IMAP4REV2": {needs: []string{"SASL-IR", "LITERAL-", "ENABLE", "IDLE", "NAMESPACE", "UNSELECT", "UIDPLUS", "ESEARCH", "SEARCHRES",
		"LIST-EXTENDED", "LIST-STATUS", "SPECIAL-USE", "CHILDREN", "MOVE", "BINARY", "STATUS=SIZE"}}, // RFC 9051 Appendix E
	"SASL-IR":               {},
	"LITERAL-":              {},
	"LITERAL+":              {},
	"ID":                    {commands: []string{"ID"}},
	"ENABLE":                {commands: []string{"ENABLE"}},
	"LANGUAGE":              {commands: []string{"LANGUAGE"}, needs: []string{"NAMESPACE"}},
	"IDLE":                  {commands: []string{"IDLE"}},
	"NAMESPACE":             {commands: []string{"NAMESPACE"}},
	"UNSELECT":              {commands: []string{"UNSELECT"}},
	"UIDPLUS":               {commands: []string{"UID EXPUNGE"}},
	"ESEARCH":               {words: []string{"SEARCH RETURN"}},
	"SEARCHRES":             {words: []string{"SEARCH SAVE", "SEARCH $", "FETCH $", "STORE $", "COPY $", "MOVE $", "EXPUNGE $"}, needs: []string{"ESEARCH"}},
	"MULTISEARCH":           {commands: []string{"ESEARCH"}, needs: []string{"ESEARCH"}},
	"FILTERS":               {words: []string{"SEARCH FILTER"}, needs: []string{"METADATA-SERVER"}},
	"PARTIAL":               {words: []string{"SEARCH PARTIAL", "FETCH PARTIAL"}, needs: []string{"ESEARCH"}},
	"UIDBATCHES":            {commands: []string{"UIDBATCHES"}},
	"INPROGRESS":            {},
	"CONTEXT=SEARCH":        {commands: []string{"CANCELUPDATE"}, words: []string{"SEARCH CONTEXT", "SEARCH UPDATE"}, needs: []string{"ESEARCH", "PARTIAL"}},
	"CONTEXT=SORT":          {words: []string{"SORT CONTEXT", "SORT UPDATE"}, needs: []string{"ESORT", "CONTEXT=SEARCH"}},
	"SEARCH=FUZZY":          {words: []string{"SEARCH FUZZY", "SEARCH RELEVANCY"}},
	"SORT":                  {commands: []string{"SORT", "UID SORT"}},
	"SORT=DISPLAY":          {words: []string{"SORT DISPLAYFROM", "SORT DISPLAYTO"}, needs: []string{"SORT"}},
	"ESORT":                 {words: []string{"SORT RETURN"}, needs: []string{"SORT", "ESEARCH"}},
	"I18NLEVEL=1":           {needs: []string{"SORT"}},
	"THREAD=ORDEREDSUBJECT": {words: []string{"THREAD ORDEREDSUBJECT"}},
	"THREAD=REFERENCES":     {words: []string{"THREAD REFERENCES"}},
	"THREAD=REFS":           {words: []string{"THREAD REFS"}},
	"LIST-EXTENDED":         {words: []string{"LIST RETURN"}},
	"LIST-STATUS":           {words: []string{"LIST STATUS"}, needs: []string{"LIST-EXTENDED"}},
	"SPECIAL-USE":           {words: []string{"LIST SPECIAL-USE"}},
	"CREATE-SPECIAL-USE":    {words: []string{"CREATE USE"}, needs: []string{"SPECIAL-USE"}},
	"CHILDREN":              {words: []string{"LIST CHILDREN"}},
	"MOVE":                  {commands: []string{"MOVE", "UID MOVE"}},
	"CONDSTORE": {words: []string{"SELECT CONDSTORE", "EXAMINE CONDSTORE", "STATUS HIGHESTMODSEQ", "LIST HIGHESTMODSEQ", "FETCH MODSEQ", "FETCH CHANGEDSINCE",
		"STORE UNCHANGEDSINCE", "SEARCH MODSEQ"}},
	"QRESYNC":           {words: []string{"SELECT QRESYNC", "EXAMINE QRESYNC", "FETCH VANISHED"}, needs: []string{"CONDSTORE", "ENABLE"}},
	"UIDONLY":           {needs: []string{"ENABLE", "UIDPLUS"}},
	"OBJECTID":          {words: []string{"FETCH EMAILID", "FETCH THREADID", "SEARCH EMAILID", "SEARCH THREADID", "STATUS MAILBOXID", "LIST MAILBOXID"}},
	"PREVIEW":           {words: []string{"FETCH PREVIEW"}},
	"BINARY":            {words: []string{"FETCH BINARY", "FETCH BINARY.PEEK", "FETCH BINARY.SIZE"}},
	"MULTIAPPEND":       {},
	"REPLACE":           {commands: []string{"REPLACE", "UID REPLACE"}},
	"CATENATE":          {words: []string{"APPEND CATENATE", "REPLACE CATENATE"}},
	"URL-PARTIAL":       {}, // of CATENATE and of URLAUTH
	"URLAUTH":           {commands: []string{"GENURLAUTH", "URLFETCH", "RESETKEY"}},
	"URLAUTH=BINARY":    {words: []string{"URLFETCH ("}, needs: []string{"URLAUTH"}},
	"STATUS=SIZE":       {words: []string{"STATUS SIZE", "LIST SIZE"}},
	"APPENDLIMIT":       {words: []string{"STATUS APPENDLIMIT", "LIST APPENDLIMIT"}},
	"MESSAGELIMIT":      {words: []string{"SEARCH UIDAFTER", "SEARCH UIDBEFORE"}},
	"SAVELIMIT":         {},
	"WITHIN":            {words: []string{"SEARCH OLDER", "SEARCH YOUNGER"}},
	"SAVEDATE":          {words: []string{"FETCH SAVEDATE", "SEARCH SAVEDBEFORE", "SEARCH SAVEDON", "SEARCH SAVEDSINCE", "SEARCH SAVEDATESUPPORTED"}},
	"NOTIFY":            {commands: []string{"NOTIFY"}, words: []string{"SEARCH UPDATE ("}},
	"QUOTA":             {commands: []string{"GETQUOTA", "GETQUOTAROOT"}},
	"QUOTA=RES-STORAGE": {words: []string{"STATUS DELETED-STORAGE", "LIST DELETED-STORAGE"}, needs: []string{"QUOTA"}},
	"QUOTA=RES-MESSAGE": {needs: []string{"QUOTA"}},
	"QUOTA=RES-MAILBOX": {needs: []string{"QUOTA"}},
	"QUOTASET":          {commands: []string{"SETQUOTA"}, needs: []string{"QUOTA"}},
	"METADATA":          {commands: []string{"GETMETADATA", "SETMETADATA"}},
	"METADATA-SERVER":   {needs: []string{"METADATA"}},
	"LIST-METADATA":     {words: []string{"LIST METADATA"}, needs: []string{"METADATA", "LIST-EXTENDED"}},
	"UTF8=ACCEPT":       {words: []string{"APPEND UTF8", "REPLACE UTF8"}, needs: []string{"ENABLE"}},
	"COMPRESS=DEFLATE":  {commands: []string{"COMPRESS"}},
	"UNAUTHENTICATE":    {commands: []string{"UNAUTHENTICATE"}},
}

// disableField is the extra field of the passwd-file with the capabilities that are off for a user, separated by commas.
const disableField = "roost_disable"

// CheckDisable tells whether a capability can be turned off. The error says why not.
func CheckDisable(name string) error {
	if _, ok := parts[strings.ToUpper(name)]; ok {
		return nil
	}
	if slices.ContainsFunc(capabilityTable, func(c capability) bool { return strings.EqualFold(c.name, name) }) {
		return fmt.Errorf("%s cannot be disabled", name)
	}
	return fmt.Errorf("%q is not a capability of this server; the table in README.md has all of them", name)
}

// CheckUser tells what is wrong with a user's extra fields of the passwd-file, as far as they are about IMAP.
func CheckUser(extra map[string]string) (errs []error) {
	for name := range strings.SplitSeq(extra[disableField], ",") {
		if name = strings.TrimSpace(name); name != "" {
			if err := CheckDisable(name); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", disableField, err))
			}
		}
	}
	return errs
}

// unconfigured are the capabilities that are off because the configuration does not ask for them.
func (o *Options) unconfigured() (names []string) {
	if !o.UIDOnly {
		names = append(names, "UIDONLY")
	}
	l := &o.Limits
	if l.Messages == 0 {
		names = append(names, "MESSAGELIMIT")
	}
	if l.Saved == 0 || l.Messages != 0 { // never both (RFC 9738 §5)
		names = append(names, "SAVELIMIT")
	}
	return names
}

// disabled is what has been turned off. It never changes; nil: nothing.
type disabled struct {
	capabilities map[string]bool // upper case
	commands     map[string]bool
	words        map[string]map[string]bool // by command, without "UID "
}

// with is d and these capabilities, and what needs them. Names that CheckDisable refuses mean nothing.
func (d *disabled) with(names []string) *disabled {
	if len(names) == 0 {
		return d
	}
	more := &disabled{map[string]bool{}, map[string]bool{}, map[string]map[string]bool{}}
	if d != nil {
		for name := range d.capabilities {
			more.add(name)
		}
	}
	for _, name := range names {
		more.add(strings.ToUpper(name))
	}
	return more
}

func (d *disabled) add(name string) {
	p, ok := parts[name]
	if !ok || d.capabilities[name] {
		return
	}
	d.capabilities[name] = true
	for _, c := range p.commands {
		d.commands[c] = true
	}
	for _, w := range p.words {
		command, word, _ := strings.Cut(w, " ")
		d.addWord(command, word)
		if command == "SEARCH" && word != "RETURN" { // their keys are those of SEARCH
			d.addWord("SORT", word)
			d.addWord("THREAD", word)
			d.addWord("ESEARCH", word)
		}
	}
	for other, p := range parts {
		if slices.Contains(p.needs, name) {
			d.add(other)
		}
	}
}

func (d *disabled) addWord(command, word string) {
	if d.words[command] == nil {
		d.words[command] = map[string]bool{}
	}
	d.words[command][word] = true
}

// command tells whether there is no such command.
func (d *disabled) command(name string) bool { return d != nil && d.commands[name] }

// without are the words that the command's grammar has not.
func (d *disabled) without(command string) map[string]bool {
	if d == nil {
		return nil
	}
	return d.words[strings.TrimPrefix(command, "UID ")]
}

// has tells whether a capability, in upper case, is not turned off.
func (s *session) has(name string) bool { return s.off == nil || !s.off.capabilities[name] }

// disableFor turns off what the passwd-file says for the user.
func (s *session) disableFor(field string) {
	var names []string
	for name := range strings.SplitSeq(field, ",") {
		if name == "" {
			continue
		}
		if err := CheckDisable(name); err != nil {
			s.log.Warn("wrong extra field of a user", "field", disableField, "cause", err)
		}
		names = append(names, name)
	}
	s.off = s.srv.off.with(names)
}

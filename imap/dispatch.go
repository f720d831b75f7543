package imap

import (
	"roost/imap/wire"
)

const (
	always   = notAuthenticated | authenticated | selected
	loggedIn = authenticated | selected
)

// row is a command.
type row struct {
	states state
	flags  rowFlags
	run    func(*session, *command) error
}

type rowFlags uint8

const (
	// numbered: sequence numbers must keep their meaning, so no EXPUNGE may be sent (RFC 9051 §7.5.1).
	numbered rowFlags = 1 << iota
	// bySeq: it takes sequence numbers, which UIDONLY forbids (RFC 9586 §3).
	bySeq
	// polls: the client asks for news, so look at the directories too.
	polls
	// quiet: no untagged responses about the mailbox behind this command.
	quiet
	// writes: the selected mailbox must not have been opened with EXAMINE.
	writes
	// expunges: with QRESYNC the tagged OK names the new HIGHESTMODSEQ (RFC 7162 §3.2.7).
	expunges
)

// commands is the table of all commands.
var commands = map[string]row{
	"CAPABILITY": {always, 0, (*session).cmdCapability},
	"NOOP":       {always, polls, (*session).cmdNoop},
	"LOGOUT":     {always, quiet, (*session).cmdLogout},
	"ID":         {always, 0, (*session).cmdID},
	"LANGUAGE":   {always, 0, (*session).cmdLanguage},

	"STARTTLS":     {notAuthenticated, quiet, (*session).cmdStartTLS},
	"AUTHENTICATE": {notAuthenticated, quiet, (*session).cmdAuthenticate},
	"LOGIN":        {notAuthenticated, quiet, (*session).cmdLogin},

	"ENABLE":         {loggedIn, 0, (*session).cmdEnable},
	"SELECT":         {loggedIn, quiet, (*session).cmdSelect},
	"EXAMINE":        {loggedIn, quiet, (*session).cmdSelect},
	"CREATE":         {loggedIn, 0, (*session).cmdCreate},
	"DELETE":         {loggedIn, 0, (*session).cmdDelete},
	"RENAME":         {loggedIn, 0, (*session).cmdRename},
	"SUBSCRIBE":      {loggedIn, 0, (*session).cmdSubscribe},
	"UNSUBSCRIBE":    {loggedIn, 0, (*session).cmdSubscribe},
	"LIST":           {loggedIn, 0, (*session).cmdList},
	"LSUB":           {loggedIn, 0, (*session).cmdLsub},
	"XLIST":          {loggedIn, 0, (*session).cmdXlist},
	"NAMESPACE":      {loggedIn, 0, (*session).cmdNamespace},
	"STATUS":         {loggedIn, 0, (*session).cmdStatus},
	"GETMETADATA":    {loggedIn, 0, (*session).cmdGetMetadata},
	"SETMETADATA":    {loggedIn, 0, (*session).cmdSetMetadata},
	"GETQUOTA":       {loggedIn, 0, (*session).cmdGetQuota},
	"GETQUOTAROOT":   {loggedIn, 0, (*session).cmdGetQuotaRoot},
	"SETQUOTA":       {loggedIn, 0, (*session).cmdSetQuota},
	"GENURLAUTH":     {loggedIn, 0, (*session).cmdGenURLAuth},
	"URLFETCH":       {loggedIn, 0, (*session).cmdURLFetch},
	"RESETKEY":       {loggedIn, 0, (*session).cmdResetKey},
	"APPEND":         {loggedIn, 0, (*session).cmdAppend},
	"IDLE":           {loggedIn, quiet, (*session).cmdIdle},
	"NOTIFY":         {loggedIn, 0, (*session).cmdNotify},
	"COMPRESS":       {loggedIn, quiet, (*session).cmdCompress},
	"UNAUTHENTICATE": {loggedIn, quiet, (*session).cmdUnauthenticate},

	"CHECK":        {selected, polls, (*session).cmdNoop},
	"CLOSE":        {selected, quiet, (*session).cmdClose},
	"UNSELECT":     {selected, quiet, (*session).cmdUnselect},
	"EXPUNGE":      {selected, writes | expunges, (*session).cmdExpunge},
	"UID EXPUNGE":  {selected, writes | expunges, (*session).cmdUIDExpunge},
	"ESEARCH":      {loggedIn, 0, (*session).cmdESearch},
	"SEARCH":       {selected, bySeq | numbered, (*session).cmdSearch},
	"UID SEARCH":   {selected, 0, (*session).cmdSearch},
	"SORT":         {selected, bySeq | numbered, (*session).cmdSort},
	"UID SORT":     {selected, 0, (*session).cmdSort},
	"THREAD":       {selected, bySeq | numbered, (*session).cmdThread},
	"UID THREAD":   {selected, 0, (*session).cmdThread},
	"CANCELUPDATE": {selected, 0, (*session).cmdCancelUpdate},
	"UIDBATCHES":   {selected, 0, (*session).cmdUIDBatches},
	"FETCH":        {selected, bySeq | numbered, (*session).cmdFetch},
	"UID FETCH":    {selected, 0, (*session).cmdFetch},
	"STORE":        {selected, bySeq | numbered | writes, (*session).cmdStore},
	"UID STORE":    {selected, writes, (*session).cmdStore},
	"COPY":         {selected, bySeq, (*session).cmdCopy},
	"UID COPY":     {selected, 0, (*session).cmdCopy},
	"MOVE":         {selected, bySeq | writes | expunges, (*session).cmdMove},
	"REPLACE":      {selected, bySeq | writes | expunges, (*session).cmdReplace},
	"UID REPLACE":  {selected, writes | expunges, (*session).cmdReplace},
	"UID MOVE":     {selected, writes | expunges, (*session).cmdMove},
}

var errLogInFirst = bad("Log in first")

// dispatch runs one command: state, handler, news about the mailbox, tagged response. An error ends the session.
func (s *session) dispatch(f *wire.Frame) error {
	c := &command{tag: f.Tag, name: f.Name, args: f.Args, frame: f}
	r, ok := commands[f.Name]
	f.Args.Without = s.off.without(f.Name)
	s.beginProgress(c)
	var err error
	if s.mail != nil && s.mail.Check() != nil {
		return errMailMoved
	}
	switch {
	case !ok || s.off.command(f.Name):
		err = bad("Unknown command")
	case r.states&s.state == 0 && s.state == notAuthenticated:
		err = errLogInFirst
	case r.states&s.state == 0 && r.states == notAuthenticated:
		err = bad("Already logged in")
	case r.states&s.state == 0:
		err = bad("No mailbox is selected")
	case r.flags&bySeq != 0 && s.uidOnly:
		err = errUIDRequired
	case r.flags&writes != 0 && s.view.readOnly:
		err = errReadOnly
	default:
		err = r.run(s, c)
	}
	if err == errAnswered {
		return nil
	}
	if ok && r.flags&quiet == 0 && s.view == nil && !s.isConnError(err) {
		s.tellMetadata()
	}
	if ok && r.flags&quiet == 0 && s.view != nil && !s.isConnError(err) {
		ev := s.viewEvents()
		if r.flags&expunges != 0 {
			ev = allEvents // what the client asked for, whatever NOTIFY says
		}
		if serr := s.tell(r.flags&polls != 0, r.flags&numbered == 0, ev); serr == errMailboxGone {
			// The last word, but for what came of the command: a client that does not hear of its APPEND does it again.
			s.enc.Raw("* BYE ").Raw(errMailboxGone.text).CRLF()
			s.ending = true
		} else if serr != nil {
			return serr
		}
		if r.flags&expunges != 0 && s.qresync {
			c.okCode = s.highestModSeq()
		}
	}
	return s.finish(c, err)
}

func (s *session) cmdNoop(c *command) error { return wire.ParseNone(c.args) }

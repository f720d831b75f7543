package imap

import (
	"fmt"
	"slices"
	"strings"

	"roost/imap/wire"
)

// capability is a row of the table from which every CAPABILITY list comes.
type capability struct {
	name  string
	rfc   string // where it is defined
	shown func(*session) bool
}

func everywhere(*session) bool    { return true }
func beforeLogin(s *session) bool { return s.state == notAuthenticated }
func afterLogin(s *session) bool  { return s.state != notAuthenticated }

// capabilities are all we offer. What is in this table works whole, in every state it is shown in.
var capabilityTable = []capability{
	{"IMAP4rev1", "RFC 3501", everywhere},
	{"IMAP4rev2", "RFC 9051", everywhere},
	{"SASL-IR", "RFC 4959", beforeLogin},
	{"LITERAL-", "RFC 7888", beforeLogin},
	{"LITERAL+", "RFC 7888", afterLogin},
	{"ID", "RFC 2971", everywhere},
	{"ENABLE", "RFC 5161", everywhere},
	{"LANGUAGE", "RFC 5255", everywhere},
	{"STARTTLS", "RFC 9051", func(s *session) bool { return beforeLogin(s) && s.tls == nil && s.srv.opt.TLS != nil }},
	{"LOGINDISABLED", "RFC 9051", func(s *session) bool { return beforeLogin(s) && !s.passwordsAllowed() }},
	{"IDLE", "RFC 2177", afterLogin},
	{"NOTIFY", "RFC 5465", afterLogin},
	{"NAMESPACE", "RFC 2342", afterLogin},
	{"UNSELECT", "RFC 3691", afterLogin},
	{"UIDPLUS", "RFC 4315", afterLogin},
	{"ESEARCH", "RFC 4731", afterLogin},
	{"SEARCHRES", "RFC 5182", afterLogin},
	{"MULTISEARCH", "RFC 7377", afterLogin},
	{"FILTERS", "RFC 5466", afterLogin},
	{"PARTIAL", "RFC 9394", afterLogin},
	{"UIDBATCHES", "RFC 10022", afterLogin},
	{"INPROGRESS", "RFC 9585", afterLogin},
	{"SEARCH=FUZZY", "RFC 6203", func(s *session) bool { return afterLogin(s) && s.fullText.Ranked() }},
	{"SORT", "RFC 5256", afterLogin},
	{"SORT=DISPLAY", "RFC 5957", afterLogin},
	{"ESORT", "RFC 5267", afterLogin},
	{"CONTEXT=SEARCH", "RFC 5267", afterLogin},
	{"CONTEXT=SORT", "RFC 5267", afterLogin},
	{"I18NLEVEL=1", "RFC 5255", afterLogin},
	{"THREAD=ORDEREDSUBJECT", "RFC 5256", afterLogin},
	{"THREAD=REFERENCES", "RFC 5256", afterLogin},
	{"THREAD=REFS", "draft-ietf-morg-inthread", afterLogin},
	{"LIST-EXTENDED", "RFC 5258", afterLogin},
	{"LIST-STATUS", "RFC 5819", afterLogin},
	{"SPECIAL-USE", "RFC 6154", afterLogin},
	{"CREATE-SPECIAL-USE", "RFC 6154", afterLogin},
	{"CHILDREN", "RFC 3348", afterLogin},
	{"MOVE", "RFC 6851", afterLogin},
	{"CONDSTORE", "RFC 7162", afterLogin},
	{"QRESYNC", "RFC 7162", afterLogin},
	{"UIDONLY", "RFC 9586", afterLogin},
	{"OBJECTID", "RFC 8474", afterLogin},
	{"PREVIEW", "RFC 8970", afterLogin},
	{"BINARY", "RFC 3516", afterLogin},
	{"MULTIAPPEND", "RFC 3502", afterLogin},
	{"REPLACE", "RFC 8508", afterLogin},
	{"CATENATE", "RFC 4469", afterLogin},
	{"URL-PARTIAL", "RFC 5550", afterLogin},
	{"URLAUTH", "RFC 4467", afterLogin},
	{"URLAUTH=BINARY", "RFC 5524", afterLogin},
	{"STATUS=SIZE", "RFC 8438", afterLogin},
	{"APPENDLIMIT", "RFC 7889", afterLogin},
	{"MESSAGELIMIT", "RFC 9738", afterLogin},
	{"SAVELIMIT", "RFC 9738", afterLogin},
	{"WITHIN", "RFC 5032", afterLogin},
	{"SAVEDATE", "RFC 8514", afterLogin},
	{"QUOTA", "RFC 9208", afterLogin},
	{"QUOTA=RES-STORAGE", "RFC 9208", afterLogin},
	{"QUOTA=RES-MESSAGE", "RFC 9208", afterLogin},
	{"QUOTA=RES-MAILBOX", "RFC 9208", afterLogin},
	{"QUOTASET", "RFC 9208", func(s *session) bool { return afterLogin(s) && s.mail.OwnQuota() }},
	{"METADATA", "RFC 5464", afterLogin},
	{"METADATA-SERVER", "RFC 5464", afterLogin},
	{"LIST-METADATA", "RFC 9590", afterLogin},
	{"UTF8=ACCEPT", "RFC 9755", afterLogin},
	{"COMPRESS=DEFLATE", "RFC 4978", afterLogin},
	{"UNAUTHENTICATE", "RFC 8437", afterLogin},
}

// passwordsAllowed tells whether a password may be sent on this connection as it is. Where PLAIN is not offered, LOGIN is not either.
func (s *session) passwordsAllowed() bool {
	return (s.tls != nil || s.srv.opt.AllowPlaintext(s.remote)) && slices.Contains(s.srv.opt.Auth.Mechanisms(s.request()), "PLAIN")
}

// capabilityOctets is about how long the list is.
const capabilityOctets = 1 << 10

// capabilities is the list as it is for this session now.
func (s *session) capabilities() string {
	var b strings.Builder
	b.Grow(capabilityOctets)
	for _, c := range capabilityTable {
		if !c.shown(s) || !s.has(strings.ToUpper(c.name)) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(c.name)
		switch c.name {
		case "APPENDLIMIT":
			fmt.Fprintf(&b, "=%d", s.srv.opt.Limits.Append)
		case "MESSAGELIMIT":
			fmt.Fprintf(&b, "=%d", s.srv.opt.Limits.Messages)
		case "SAVELIMIT":
			fmt.Fprintf(&b, "=%d", s.srv.opt.Limits.Saved)
		}
	}
	if s.state == notAuthenticated {
		for _, m := range s.srv.opt.Auth.Mechanisms(s.request()) {
			b.WriteString(" AUTH=" + m)
		}
	}
	return b.String()
}

func (s *session) cmdCapability(c *command) error {
	if err := wire.ParseNone(c.args); err != nil {
		return err
	}
	s.enc.Raw("* CAPABILITY ").Raw(s.capabilities()).CRLF()
	return nil
}

// cmdEnable is ENABLE (RFC 5161, RFC 9051 §6.3.1). Unknown capabilities are ignored.
func (s *session) cmdEnable(c *command) error {
	req, err := wire.ParseEnable(c.args)
	if err != nil {
		return err
	}
	var on []string
	for _, name := range req.Caps {
		if !s.has(name) || slices.ContainsFunc(on, func(done string) bool { return strings.EqualFold(done, name) }) {
			continue
		}
		switch name {
		case "IMAP4REV2":
			s.rev2 = true
			on = append(on, "IMAP4rev2")
		case "CONDSTORE":
			s.useCondstore()
			on = append(on, "CONDSTORE")
		case "QRESYNC": // RFC 7162 §3.2.3
			s.useCondstore()
			s.qresync = true
			on = append(on, "QRESYNC")
		case "METADATA": // RFC 5464 §4.1
			s.hearMetadata()
			s.annotated.mailbox, s.annotated.server = true, true
			on = append(on, "METADATA")
		case "METADATA-SERVER":
			s.hearMetadata()
			s.annotated.server = true
			on = append(on, "METADATA-SERVER")
		case "UIDONLY":
			s.useUIDOnly()
			on = append(on, "UIDONLY")
		case "UTF8=ACCEPT":
			s.utf8 = true
			on = append(on, "UTF8=ACCEPT")
		}
	}
	s.enc.UTF8 = s.utf8 || s.rev2
	s.enc.Raw("* ENABLED")
	for _, name := range on {
		s.enc.SP().Raw(name)
	}
	s.enc.CRLF()
	return nil
}

// cmdID is ID (RFC 2971). What the client says of itself goes to the log.
func (s *session) cmdID(c *command) error {
	req, err := wire.ParseID(c.args)
	if err != nil {
		return err
	}
	if name := req.Params["name"]; name != "" && !s.named {
		s.named = true // once: the log is not for clients to fill
		s.log.Info("client", "name", clip(name), "version", clip(req.Params["version"]))
	}
	s.enc.Raw(`* ID ("name" "Roost" "version" `).String(s.srv.opt.Version).Raw(")").CRLF()
	return nil
}

// clip bounds what a client can put into the log.
func clip(s string) string { return s[:min(len(s), 100)] }

// cmdNamespace is NAMESPACE (RFC 2342, RFC 9051 §6.3.10).
func (s *session) cmdNamespace(c *command) error {
	if err := wire.ParseNone(c.args); err != nil {
		return err
	}
	s.enc.Raw(`* NAMESPACE (("" "`).Raw(string(s.mail.Separator())).Raw(`")) NIL NIL`).CRLF()
	return nil
}

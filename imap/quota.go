package imap

import (
	"math"

	goimap "github.com/emersion/go-imap/v2"

	"roost/imap/wire"
	"roost/maildir"
)

// QUOTA (RFC 9208). A user has one quota root, for all mailboxes, under the name that Dovecot gives it. Without any limit there is none. Limits
// are hard, so there are no warnings in untagged NO: what would go beyond them is refused with OVERQUOTA, by whatever command.

const quotaRoot = "User quota"

// kibi is the unit of STORAGE in octets (§5.1).
const kibi = 1024

var errNoRoot = no(goimap.ResponseCodeNonExistent, "No such quota root")

// resource is a row of the table of resources.
type resource struct {
	name string
	unit int64                       // in octets, or 1
	of   func(*maildir.Quota) *int64 // where it stands
}

var resources = []resource{
	{"STORAGE", kibi, func(q *maildir.Quota) *int64 { return &q.Storage }},
	{"MESSAGE", 1, func(q *maildir.Quota) *int64 { return &q.Messages }},
	{"MAILBOX", 1, func(q *maildir.Quota) *int64 { return &q.Mailboxes }},
}

// offered tells whether the resource is not turned off.
func (r *resource) offered(s *session) bool { return s.has("QUOTA=RES-" + r.name) }

// quota returns the resources that are limited, with what is in use and the limit.
func (s *session) quota() (limited []resource, used, limit maildir.Quota, err error) {
	used, limit, err = s.mail.Quota(s.ctx)
	for _, r := range resources {
		if *r.of(&limit) > 0 && r.offered(s) {
			limited = append(limited, r)
		}
	}
	return limited, used, limit, err
}

// writeQuota writes the QUOTA response; without limits there is none.
func (s *session) writeQuota(limited []resource, used, limit maildir.Quota) {
	if len(limited) == 0 {
		return
	}
	s.enc.Raw("* QUOTA ").AString(quotaRoot).Raw(" (")
	for i, r := range limited {
		if i > 0 {
			s.enc.SP()
		}
		use := *r.of(&used)
		use = use/r.unit + (use%r.unit+r.unit-1)/r.unit // begun units are taken
		s.enc.Raw(r.name).SP().Number(use).SP().Number(*r.of(&limit) / r.unit)
	}
	s.enc.Raw(")").CRLF()
}

// cmdGetQuota is GETQUOTA (§4.1.1).
func (s *session) cmdGetQuota(c *command) error {
	root, err := wire.ParseGetQuota(c.args)
	if err != nil {
		return err
	}
	limited, used, limit, err := s.quota()
	if err != nil {
		return err
	}
	if root != quotaRoot || len(limited) == 0 {
		return errNoRoot
	}
	s.writeQuota(limited, used, limit)
	return nil
}

// cmdGetQuotaRoot is GETQUOTAROOT (§4.1.2).
func (s *session) cmdGetQuotaRoot(c *command) error {
	req, err := wire.ParseMailbox(c.args)
	if err != nil {
		return err
	}
	if _, err := s.mail.Exists(req.Name); err != nil { // it need not, but it has to be a name
		return err
	}
	limited, used, limit, err := s.quota()
	if err != nil {
		return err
	}
	s.enc.Raw("* QUOTAROOT ").Mailbox(req.Name)
	if len(limited) > 0 {
		s.enc.SP().AString(quotaRoot)
	}
	s.enc.CRLF()
	s.writeQuota(limited, used, limit)
	return nil
}

// cmdSetQuota is SETQUOTA (§4.1.3), for users whom the configuration allows it. What is not named is not limited any more.
func (s *session) cmdSetQuota(c *command) error {
	req, err := wire.ParseSetQuota(c.args)
	if err != nil {
		return err
	}
	if !s.mail.OwnQuota() {
		return no(goimap.ResponseCodeNoPerm, "The administrator sets the limits")
	}
	if req.Root != quotaRoot {
		return errNoRoot
	}
	var limit maildir.Quota
	for _, l := range req.Limits {
		known := false
		for _, r := range resources {
			if r.name == l.Resource && r.offered(s) {
				known = true
				*r.of(&limit) = min(l.Limit, math.MaxInt64/r.unit) * r.unit
			}
		}
		if !known {
			return no(goimap.ResponseCodeCannot, "No limit can be set on that resource")
		}
		if l.Limit == 0 {
			return no(goimap.ResponseCodeCannot, "A limit of nothing is not possible")
		}
	}
	if err := s.mail.ChangeQuota(limit); err != nil {
		return err
	}
	limited, used, limit, err := s.quota()
	if err == nil {
		s.writeQuota(limited, used, limit)
	}
	return err
}

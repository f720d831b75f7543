package serve

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"

	"roost/imap"
	"roost/internal/auth"
	"roost/internal/config"
	"roost/maildir"
)

// quotaFields are the extra fields of the passwd-file that say a user's limits: ours, and those that Dovecot 2.3 and 2.4 have. Later ones win.
var quotaFields = []struct {
	name string
	read func(q *maildir.Quota, value string) error
}{
	{"userdb_quota_rule", quotaRule},
	{"userdb_quota_storage_size", storageField},
	{"userdb_quota_message_count", messagesField},
	{"roost_quota_storage", storageField},
	{"roost_quota_messages", messagesField},
	{"roost_quota_mailboxes", func(q *maildir.Quota, value string) error { return count(&q.Mailboxes, value) }},
}

func storageField(q *maildir.Quota, value string) error {
	size, err := config.ParseSize(value)
	if err == nil {
		q.Storage = int64(size)
	}
	return err
}

func messagesField(q *maildir.Quota, value string) error { return count(&q.Messages, value) }

func count(n *int64, value string) error {
	v, err := strconv.ParseInt(value, 10, 64)
	if err != nil || v < 0 {
		return fmt.Errorf("%q is not a number", value)
	}
	*n = v
	return nil
}

// quotaRule reads Dovecot's *:storage=1G:messages=1000. Without a unit storage is in KiB. Rules for single mailboxes would need limits of their
// own, which there are not.
func quotaRule(q *maildir.Quota, value string) error {
	box, rest, _ := strings.Cut(value, ":")
	if box != "*" {
		return fmt.Errorf("%q is not for all mailboxes, \"*:…\"", value)
	}
	rule := *q
	for word := range strings.SplitSeq(rest, ":") {
		key, v, _ := strings.Cut(word, "=")
		var err error
		switch key {
		case "storage":
			if v != "" && strings.Trim(v, "0123456789") == "" {
				v += "k"
			}
			err = storageField(&rule, v)
		case "bytes":
			err = storageField(&rule, v)
		case "messages":
			err = messagesField(&rule, v)
		default:
			err = fmt.Errorf("%q is not storage=, bytes= or messages=", word)
		}
		if err != nil {
			return err
		}
	}
	*q = rule
	return nil
}

// limitQuota puts the limits of a user's mail into o: those of the configuration, and what the passwd-file says instead. What cannot be read there
// leaves the configuration's.
func limitQuota(c *config.Quota, u *auth.User, o *maildir.Options, log *slog.Logger) {
	o.Quota = maildir.Quota{Storage: int64(c.Storage), Messages: int64(c.Messages), Mailboxes: int64(c.Mailboxes)}
	o.OwnQuota = slices.Contains(c.Set, u.Name)
	for _, err := range userQuota(u, &o.Quota) {
		log.Warn("wrong extra field of a user", "user", u.Name, "cause", err)
	}
}

// userQuota puts the limits that the passwd-file has for a user into q, and tells what is wrong with them.
func userQuota(u *auth.User, q *maildir.Quota) (errs []error) {
	for _, f := range quotaFields {
		if value, ok := u.Extra[f.name]; ok {
			if err := f.read(q, value); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", f.name, err))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(u.Extra)) {
		if rule, more := strings.CutPrefix(name, "userdb_quota_rule"); more && rule != "" {
			errs = append(errs, fmt.Errorf("%s is ignored: only one rule, for all mailboxes, is supported", name))
		}
	}
	return errs
}

// CheckUser tells what the passwd-file and a configuration say of a user that cannot be.
func CheckUser(c *config.Config, u *auth.User) (errs []error) {
	if _, err := Maildir(c, u); err != nil {
		errs = append(errs, fmt.Errorf("has no mail: %w", err))
	}
	errs = append(errs, userQuota(u, new(maildir.Quota))...)
	return append(errs, imap.CheckUser(u.Extra)...)
}

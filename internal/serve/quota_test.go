package serve

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"roost/internal/auth"
	"roost/internal/config"
	"roost/maildir"
)

func TestLimitQuota(t *testing.T) {
	base := config.Quota{Storage: 1 << 30, Messages: 5, Set: config.Strings{"admin"}}
	for _, c := range []struct {
		user   string
		fields string
		want   maildir.Quota
		own    bool
		warned string
	}{
		{"a", "", maildir.Quota{Storage: 1 << 30, Messages: 5}, false, ""},
		{"admin", "", maildir.Quota{Storage: 1 << 30, Messages: 5}, true, ""},
		{"a", "roost_quota_storage=5M roost_quota_messages=0 roost_quota_mailboxes=7", maildir.Quota{Storage: 5 << 20, Mailboxes: 7}, false, ""},
		{"a", "userdb_quota_rule=*:storage=2G:messages=9", maildir.Quota{Storage: 2 << 30, Messages: 9}, false, ""},
		{"a", "userdb_quota_rule=*:storage=100", maildir.Quota{Storage: 100 << 10, Messages: 5}, false, ""},
		{"a", "userdb_quota_rule=*:bytes=100", maildir.Quota{Storage: 100, Messages: 5}, false, ""},
		{"a", "userdb_quota_storage_size=1G userdb_quota_message_count=3", maildir.Quota{Storage: 1 << 30, Messages: 3}, false, ""},
		{"a", "userdb_quota_rule=*:storage=2G roost_quota_storage=1k", maildir.Quota{Storage: 1 << 10, Messages: 5}, false, ""},
		{"a", "userdb_quota_rule=Trash:storage=+10%", maildir.Quota{Storage: 1 << 30, Messages: 5}, false, "not for all mailboxes"},
		{"a", "userdb_quota_rule=*:storage=2G:ignore", maildir.Quota{Storage: 1 << 30, Messages: 5}, false, "ignore"},
		{"a", "userdb_quota_rule2=Trash:storage=1G", maildir.Quota{Storage: 1 << 30, Messages: 5}, false, "only one rule"},
		{"a", "roost_quota_messages=-1 roost_quota_storage=lots", maildir.Quota{Storage: 1 << 30, Messages: 5}, false, "lots"},
	} {
		u := &auth.User{Name: c.user, Extra: map[string]string{}}
		for _, f := range strings.Fields(c.fields) {
			k, v, _ := strings.Cut(f, "=")
			u.Extra[k] = v
		}
		var log bytes.Buffer
		var o maildir.Options
		limitQuota(&base, u, &o, slog.New(slog.NewTextHandler(&log, nil)))
		if o.Quota != c.want || o.OwnQuota != c.own {
			t.Errorf("%s: %+v, %v", c.fields, o.Quota, o.OwnQuota)
		}
		if (c.warned == "") != (log.Len() == 0) || !strings.Contains(log.String(), c.warned) {
			t.Errorf("%s: the log says %q", c.fields, &log)
		}
	}
}

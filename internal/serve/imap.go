package serve

import (
	"net/netip"
	"time"

	"roost/imap"
	"roost/index"
	"roost/internal/auth"
	"roost/internal/tlsconf"
)

var autos = map[string]imap.Auto{"no": imap.AutoNo, "create": imap.AutoCreate, "subscribe": imap.AutoSubscribe}

// newServer makes the IMAP server of a plan.
func (p *Plan) newServer() server {
	l := p.Config.Limits
	var folders []imap.Folder
	for _, f := range p.Config.Mail.Folders {
		folders = append(folders, imap.Folder{Name: f.Name, SpecialUse: f.SpecialUse, Auto: autos[f.Auto]})
	}
	return imap.NewServer(imap.Options{
		Hostname: p.Hostname, Version: p.Version, TLS: tlsconf.Config(p.Cert), Auth: p.Auth, Open: p.Stores.Open, Find: p.Auth.Find,
		AllowPlaintext: func(remote netip.Addr) bool { return p.Policy.Allows(auth.Request{Remote: remote}) },
		Folders:        folders,
		Admin:          p.Config.Admin,
		Disable:        p.Config.Capabilities.Disable,
		UIDOnly:        p.Config.Capabilities.UIDOnly,
		Attachments:    p.Config.Search.Attachments == string(index.AttachmentsText),
		Limits: imap.Limits{
			Line: int(l.Line), Literal: int(l.Literal), Command: int(l.Command), Commands: p.memory.commands,
			Searching: p.memory.working, Depth: l.Nesting, Append: int64(l.Append),
			Connections: l.Connections, BeforeLogin: l.ConnectionsLogin, PerUser: l.ConnectionsPerUser, PerAddress: l.ConnectionsPerAddress, Notify: l.NotifyMailboxes,
			Messages: l.MessageLimit, Saved: l.SaveLimit,
			Metadata: int(l.MetadataValue),
			Login:    time.Duration(l.LoginTime), Idle: time.Duration(l.IdleTime), Write: time.Duration(l.WriteTime),
		},
		Log: p.Log,
	})
}

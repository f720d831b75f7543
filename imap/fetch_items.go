package imap

import (
	"math"
	"time"

	"roost/imap/wire"
	"roost/maildir/message"
)

// unknownTime is Record.Time of a message whose file has not been looked at.
const unknownTime = math.MinInt64

const modSeqItem wire.FetchAtt = "MODSEQ"

// fetchAtts are the items without arguments. A new one is a row here.
var fetchAtts = map[wire.FetchAtt]fetchItem{
	"UID": {name: "UID", write: func(f *fetcher, m *fetchMessage) error {
		f.enc.Number(int64(m.rec.UID))
		return nil
	}},
	"FLAGS": {name: "FLAGS", write: func(f *fetcher, m *fetchMessage) error {
		f.s.writeFlags(m.rec)
		return nil
	}},
	modSeqItem: {name: "MODSEQ", write: func(f *fetcher, m *fetchMessage) error { // RFC 7162 §3.1.4.2
		f.enc.Raw("(").Number(int64(m.rec.ModSeq)).Raw(")")
		return nil
	}},
	"INTERNALDATE": {name: "INTERNALDATE", fill: true, write: func(f *fetcher, m *fetchMessage) error {
		f.date(time.Unix(m.rec.Time, 0))
		return nil
	}},
	"RFC822.SIZE": {name: "RFC822.SIZE", fill: true, write: func(f *fetcher, m *fetchMessage) error {
		f.enc.Number(m.rec.Wire)
		return nil
	}},
	"ENVELOPE": {name: "ENVELOPE", meta: true, write: func(f *fetcher, m *fetchMessage) error {
		f.enc.RawBytes(m.meta.Envelope)
		return nil
	}},
	"BODY": {name: "BODY", meta: true, write: func(f *fetcher, m *fetchMessage) error {
		f.enc.RawBytes(m.meta.Body)
		return nil
	}},
	"BODYSTRUCTURE": {name: "BODYSTRUCTURE", meta: true, write: func(f *fetcher, m *fetchMessage) error {
		f.enc.RawBytes(m.meta.BodyStructure)
		return nil
	}},
	"EMAILID":  objectIDItem("EMAILID", emailID),
	"THREADID": objectIDItem("THREADID", threadID),
	"PREVIEW": {name: "PREVIEW", prepare: (*fetcher).parts, write: func(f *fetcher, m *fetchMessage) error {
		f.enc.String(message.Preview(m.file, m.tree))
		return nil
	}},
	"SAVEDATE": {name: "SAVEDATE", fill: true, write: func(f *fetcher, m *fetchMessage) error { // RFC 8514
		f.date(time.Unix(f.box.SaveDate(m.rec), 0))
		return nil
	}},
}

// date writes a date-time in the server's zone, the one SEARCH compares days in.
func (f *fetcher) date(t time.Time) {
	var buf [32]byte
	f.enc.RawBytes(wire.AppendDateTime(buf[:0], t.Local()))
}

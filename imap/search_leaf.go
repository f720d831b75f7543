package imap

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"time"

	"roost/imap/wire"
	"roost/index"
	"roost/maildir"
	"roost/maildir/message"
)

// buildLeaf plans a key without children (RFC 9051 §6.4.4).
func (pl *plan) buildLeaf(key wire.SearchKey) (*node, error) {
	switch key := key.(type) {
	case *wire.KeySet:
		set := newUIDSet(key.Set, key.UID, pl.view, pl.saved)
		if len(set) == 0 {
			return constant(false), nil
		}
		return pl.add("", leaf{from: levelRecord, to: levelRecord, set: set,
			test: func(p *probe) tri { return truth(set.has(p.rec.UID)) }}), nil
	case *wire.KeyFlag:
		return pl.flagNode(key), nil
	case *wire.KeyHeader:
		return pl.headerNode(key.Field, key.Value), nil
	case *wire.KeyText:
		return pl.textNode(key.Headers, key.Value), nil
	case *wire.KeyDate:
		return pl.dateNode(key), nil
	case *wire.KeySize:
		return pl.add(fmt.Sprint("size ", key.Larger, key.N), leaf{from: levelRecord, to: levelFill, test: func(p *probe) tri {
			if p.rec.Wire < 0 && !p.fill() {
				return unknown
			}
			if key.Larger {
				return truth(p.rec.Wire > key.N)
			}
			return truth(p.rec.Wire < key.N)
		}}), nil
	case *wire.KeyAge: // RFC 5032 §3
		pl.fixed = false
		limit := pl.now.Unix() - key.Seconds
		return pl.internalNode(fmt.Sprint("age ", key.Younger, key.Seconds), func(t int64) bool {
			if key.Younger {
				return t >= limit
			}
			return t <= limit
		}), nil
	case *wire.KeyModSeq: // RFC 7162 §3.1.5
		pl.modSeq, pl.fixed = true, false
		since := maildir.ModSeq(key.N)
		return pl.add(fmt.Sprint("modseq ", key.N), leaf{from: levelRecord, to: levelRecord,
			test: func(p *probe) tri { return truth(p.rec.ModSeq >= since) }}), nil
	case *wire.KeyObjectID:
		return pl.objectIDNode(key), nil
	case *wire.KeySaveDateSupported:
		return constant(true), nil
	}
	return nil, bad("Unknown search key")
}

// internalNode tests INTERNALDATE.
func (pl *plan) internalNode(key string, test func(int64) bool) *node {
	return pl.add(key, leaf{from: levelRecord, to: levelFill, test: func(p *probe) tri {
		if p.rec.Time == unknownTime && !p.fill() {
			return unknown
		}
		return truth(test(p.rec.Time))
	}})
}

// dateNode compares days. The day of INTERNALDATE and SAVEDATE is the one that FETCH shows, in the server's zone; the day of the Date header
// is the one written there, whatever its zone (RFC 9051 §6.4.4: "disregarding time and timezone").
func (pl *plan) dateNode(key *wire.KeyDate) *node {
	name := fmt.Sprint("date ", key.Of, key.Cmp, key.Day.Unix())
	if key.Of == wire.DateSent {
		day := floorDiv(key.Day.Unix(), 24*60*60)
		return pl.add(name, leaf{from: levelCached, to: levelParse, test: func(p *probe) tri {
			m := p.facts()
			if m == nil {
				return unknown
			}
			return truth(m.SentDay != math.MinInt64 && compareDay(key.Cmp, m.SentDay, day, day+1))
		}})
	}
	start, end := startOfDay(key.Day), startOfDay(key.Day.AddDate(0, 0, 1))
	if key.Of == wire.DateInternal {
		return pl.internalNode(name, func(t int64) bool { return compareDay(key.Cmp, t, start, end) })
	}
	return pl.add(name, leaf{from: levelFill, to: levelFill, test: func(p *probe) tri {
		if p.rec.Time == unknownTime && !p.fill() {
			return unknown
		}
		return truth(compareDay(key.Cmp, p.box.SaveDate(p.rec), start, end))
	}})
}

// compareDay compares t with the day [start,end).
func compareDay(cmp wire.Cmp, t, start, end int64) bool {
	switch cmp {
	case wire.Before:
		return t < start
	case wire.On:
		return start <= t && t < end
	default:
		return t >= start
	}
}

// startOfDay returns the first second of a day in the server's zone. Where clocks are set forward at midnight, that is one o'clock; a day
// that the zone skipped starts with the next one.
func startOfDay(day time.Time) int64 {
	y, m, d := day.Date()
	t := time.Date(y, m, d, 0, 0, 0, 0, time.Local)
	for t.Year() < y || t.Year() == y && t.YearDay() < day.YearDay() { // time.Date may answer with the last hour of the day before
		t = t.Add(30 * time.Minute)
	}
	return t.Unix()
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// headerNode looks for value in the decoded fields of that name; an empty value asks whether there is such a field.
func (pl *plan) headerNode(name, value string) *node {
	if name == "" {
		return constant(false) // a line that is no field has no name, but is no field either
	}
	needle := index.NewNeedle(value)
	wanted := []byte(name)
	lower := strings.ToLower(name)
	var question *ask
	if value != "" {
		where, ok := whereFields[lower]
		if !ok {
			where = index.InHeader
		}
		question = &ask{where, needle}
	}
	return pl.add("header "+lower+"\x00"+value, leaf{from: levelCached, to: levelParse, ask: question, test: func(p *probe) tri {
		fields, ok := p.fields(name)
		if !ok {
			return unknown
		}
		for i := range fields {
			if f := &fields[i]; len(f.name) == len(wanted) && bytes.EqualFold(f.name, wanted) && (value == "" || p.matches(f, needle)) {
				return yes
			}
		}
		return not
	}})
}

// textNode looks for value in the text of a message. That it is in a cached header field is found out before.
func (pl *plan) textNode(headers bool, value string) *node {
	if value == "" {
		return constant(true) // every text contains the empty string
	}
	t := &textLeaf{needle: index.NewNeedle(value), headers: headers}
	l := leaf{from: levelText, to: levelText, text: t, test: func(*probe) tri { return unknown }, ask: &ask{index.InBody, t.needle}}
	if headers {
		l.from, l.ask.where = levelCached, index.InText
		l.test = func(p *probe) tri {
			if p.facts() == nil {
				return unknown
			}
			fields := p.cached()
			for i := range fields {
				if p.matches(&fields[i], t.needle) {
					return yes
				}
			}
			return unknown
		}
	}
	return pl.add(fmt.Sprint("text ", headers, value), l)
}

// manyNeedles is from how many leaves on it pays to keep decoded fields.
const manyNeedles = 8

// field is a header field.
type field struct {
	name, raw []byte
	value     string // raw decoded, when kept
	kept      bool
}

// splitFields lists the fields of raw header bytes.
func splitFields(dst []field, header []byte) []field {
	message.Fields(header, func(name, raw []byte) bool {
		dst = append(dst, field{name: name, raw: raw})
		return true
	})
	return dst
}

// matches tells whether a field contains the needle.
func (p *probe) matches(f *field, needle index.Needle) bool {
	if len(p.pl.leaves) < manyNeedles {
		return needle.MatchHeader(f.raw)
	}
	if !f.kept {
		f.value, f.kept = message.FieldValue(f.raw), true
	}
	return needle.MatchString(f.value)
}

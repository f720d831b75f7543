package message

import (
	"slices"
	"strconv"
	"strings"
)

// params reads *(";" attribute "=" value) at most to the given number of parameters. Broken ones are stepped over. The pieces of RFC 2231 §3
// are joined, in the order of their numbers, behind the other parameters; a value with encoded pieces keeps its encoding and its name the star.
func (l *lexer) params(most int) []Param {
	var list []Param
	var pieces []piece
	for !l.done() && len(list)+len(pieces) < most {
		p, ok := l.param()
		if !ok {
			if !l.at(';') {
				l.i++ // try further on
			}
			continue
		}
		if pc, ok := splitName(p); ok {
			pieces = append(pieces, pc)
		} else {
			list = append(list, p)
		}
	}
	if len(pieces) == 0 {
		return list
	}
	slices.SortStableFunc(pieces, func(a, b piece) int {
		if c := strings.Compare(lowerASCII(a.name), lowerASCII(b.name)); c != 0 {
			return c
		}
		return a.number - b.number
	})
	for len(pieces) > 0 {
		n := 1
		for n < len(pieces) && equalFold(pieces[n].name, lowerASCII(pieces[0].name)) {
			n++
		}
		list = joinPieces(list, pieces[:n])
		pieces = pieces[n:]
	}
	return list
}

// param reads one parameter.
func (l *lexer) param() (p Param, ok bool) {
	if !l.at(';') {
		return p, false
	}
	l.i++
	if !l.space() || l.done() {
		return p, false
	}
	name, ok := l.token(nil)
	if !ok || !l.at('=') {
		return p, false
	}
	l.i++
	var value []byte
	switch ok = l.space(); {
	case !ok || l.done():
	case l.at('"'):
		value, ok = l.quoted(nil)
	case l.at('='): // name==?utf-8?b?...?=
		start := l.i
		for l.i < len(l.s) && strings.IndexByte("; \t\r\n", l.s[l.i]) < 0 {
			l.i++
		}
		value = l.s[start:l.i]
	default:
		value, ok = l.token(nil)
	}
	return Param{intern(name), intern(value)}, ok
}

// piece is a parameter named name*N, name*N* or name*.
type piece struct {
	name   string
	number int
	coded  bool
	value  string
}

// splitName recognises the names of RFC 2231.
func splitName(p Param) (piece, bool) {
	name, rest, ok := strings.Cut(p.Name, "*")
	if !ok {
		return piece{}, false
	}
	pc := piece{name: name, value: p.Value}
	if rest == "" { // name*
		pc.coded = true
		return pc, true
	}
	rest, pc.coded = strings.CutSuffix(rest, "*")
	if rest == "" { // name**
		return pc, true
	}
	n, err := strconv.ParseUint(rest, 10, 31)
	pc.number = int(n)
	return pc, err == nil
}

// joinPieces appends the parameter that the pieces of one name make, or the pieces themselves when some are missing.
func joinPieces(list []Param, pieces []piece) []Param {
	complete, coded := true, false
	for i, pc := range pieces {
		complete = complete && pc.number == i
		coded = coded || pc.coded
	}
	if !complete {
		for _, pc := range pieces {
			name := pc.name + "*" + strconv.Itoa(pc.number)
			if pc.coded {
				name += "*"
			}
			list = append(list, Param{name, pc.value})
		}
		return list
	}
	var value strings.Builder
	if coded && !pieces[0].coded {
		value.WriteString("''")
	}
	for _, pc := range pieces {
		if coded && !pc.coded {
			value.WriteString(strings.ReplaceAll(pc.value, "%", "%25"))
		} else {
			value.WriteString(pc.value)
		}
	}
	name := pieces[0].name
	if coded {
		name += "*"
	}
	return append(list, Param{name, value.String()})
}

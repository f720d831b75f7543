package message

import (
	"strings"
	"testing"
)

// addressCases are address lists of all kinds of brokenness, with what Dovecot 2.3 makes of them.
var addressCases = []struct{ field, want string }{
	{"x", "((NIL NIL \"x\" \"MISSING_DOMAIN\"))"},
	{"x y", "((\"x y\" NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\"))"},
	{"x y z@foo", "((\"x y z\" NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\"))"},
	{"\"x\"", "((\"x\" NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\"))"},
	{"\"x y\"", "((\"x y\" NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\"))"},
	{"x <", "((\"x\" NIL \"MISSING_MAILBOX\" \"SYNTAX_ERROR\"))"},
	{"x <y", "((\"x\" NIL \"y\" \"SYNTAX_ERROR\"))"},
	{"x <y@", "((\"x\" NIL \"y\" \"SYNTAX_ERROR\"))"},
	{"x <y@z", "((\"x\" NIL \"y\" \"SYNTAX_ERROR\"))"},
	{"x <y@z>", "((\"x\" NIL \"y\" \"z\"))"},
	{"x <y@z> foo", "((\"x\" NIL \"y\" \"z\"))"},
	{"x <y@z> foo, a@b", "((\"x\" NIL \"y\" \"z\"))"},
	{"<>", "((NIL NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\"))"},
	{"x <>", "((\"x\" NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\"))"},
	{"a@b, , c@d", "((NIL NIL \"a\" \"b\")(NIL NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\")(NIL NIL \"c\" \"d\"))"},
	{",,a@b", "((NIL NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\")(NIL NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\")(NIL NIL \"a\" \"b\"))"},
	{"a@b,", "((NIL NIL \"a\" \"b\"))"},
	{"a@b,,", "((NIL NIL \"a\" \"b\")(NIL NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\"))"},
	{"a b, c@d", "((\"a b\" NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\")(NIL NIL \"c\" \"d\"))"},
	{"a@b c@d", "((NIL NIL \"a\" \"b\"))"},
	{"a@b c@d, e@f", "((NIL NIL \"a\" \"b\"))"},
	{"a@b; c@d", "((NIL NIL \"a\" \"b\"))"},
	{"@b", "((NIL NIL \"MISSING_MAILBOX\" \"b\"))"},
	{"a@", "((NIL NIL \"a\" \"MISSING_DOMAIN\"))"},
	{"a@ , c@d", "((NIL NIL \"a\" \"MISSING_DOMAIN\")(NIL NIL \"c\" \"d\"))"},
	{"a..b@c", "((NIL NIL \"a..b\" \"c\"))"},
	{"a.@c", "((NIL NIL \"a.\" \"c\"))"},
	{".a@c", "((NIL NIL \".a\" \"c\"))"},
	{"a@b (Name)", "((\"Name\" NIL \"a\" \"b\"))"},
	{"(Name) a@b", "((NIL NIL \"a\" \"b\"))"},
	{"a (c) @b", "((\"c\" NIL \"a\" \"b\"))"},
	{"g:;", "((NIL NIL \"g\" NIL)(NIL NIL NIL NIL))"},
	{"g: a@b;", "((NIL NIL \"g\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL NIL NIL))"},
	{"g: a@b, c@d;, e@f", "((NIL NIL \"g\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")(NIL NIL NIL NIL)(NIL NIL \"e\" \"f\"))"},
	{"g: a@b", "((NIL NIL \"g\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL NIL NIL))"},
	{"g: a@b, c@d", "((NIL NIL \"g\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")(NIL NIL NIL NIL))"},
	{"g:;,h:;", "((NIL NIL \"g\" NIL)(NIL NIL NIL NIL)(NIL NIL \"h\" NIL)(NIL NIL NIL NIL))"},
	{"\"g h\": a@b;", "((NIL NIL \"g h\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL NIL NIL))"},
	{"g: x <y@z>; foo", "((NIL NIL \"g\" NIL)(\"x\" NIL \"y\" \"z\")(NIL NIL NIL NIL))"},
	{"g:,;", "((NIL NIL \"g\" NIL)(NIL NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\")(NIL NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\")(NIL NIL NIL NIL))"},
	{"g: a@b,;", "((NIL NIL \"g\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\")(NIL NIL NIL NIL))"},
	{"undisclosed-recipients:", "((NIL NIL \"undisclosed-recipients\" NIL)(NIL NIL NIL NIL))"},
	{"undisclosed-recipients:,", "((NIL NIL \"undisclosed-recipients\" NIL)(NIL NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\")(NIL NIL NIL NIL))"},
	{"undisclosed-recipients: ;", "((NIL NIL \"undisclosed-recipients\" NIL)(NIL NIL NIL NIL))"},
	{"<@r1,@r2:a@b>", "((NIL \"@r1,@r2\" \"a\" \"b\"))"},
	{"<@r:a>", "((NIL \"@r\" \"a\" \"MISSING_DOMAIN\"))"},
	{"<@:a@b>", "((NIL \"INVALID_ROUTE\" \"MISSING_MAILBOX\" \"SYNTAX_ERROR\"))"},
	{"<@r a@b>", "((NIL \"INVALID_ROUTE\" \"a\" \"b\"))"},
	{"a@[1.2.3.4]", "((NIL NIL \"a\" \"[1.2.3.4]\"))"},
	{"a@[1.2", "((NIL NIL \"a\" \"MISSING_DOMAIN\"))"},
	{"\"a b\"@c", "((NIL NIL \"a b\" \"c\"))"},
	{"a <\"b c\"@d>", "((\"a\" NIL \"b c\" \"d\"))"},
	{"a <b@c>, (", "((\"a\" NIL \"b\" \"c\")(NIL NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\"))"},
	{"(", "NIL"},
	{"(foo", "NIL"},
	{"(foo) ", "NIL"},
	{"a@b (c", "((NIL NIL \"a\" \"MISSING_DOMAIN\"))"},
	{"\"a", "((NIL NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\"))"},
	{"\"a\" b <c@d>", "((\"a b\" NIL \"c\" \"d\"))"},
	{"\"a\\\"b\" <c@d>", "((\"a\\\"b\" NIL \"c\" \"d\"))"},
	{"\"a\"\"b\" <c@d>", "((\"a b\" NIL \"c\" \"d\"))"},
	{"a.b c. <d@e>", "((\"a.b c.\" NIL \"d\" \"e\"))"},
	{"a@b.", "((NIL NIL \"a\" \"MISSING_DOMAIN\"))"},
	{"a@b@c", "((NIL NIL \"a\" \"b\"))"},
	{"a <b@c@d>", "((\"a\" NIL \"b\" \"SYNTAX_ERROR\"))"},
	{"<a@b", "((NIL NIL \"a\" \"SYNTAX_ERROR\"))"},
	{"a b@c", "((\"a b\" NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\"))"},
	{"a b <c", "((\"a b\" NIL \"c\" \"SYNTAX_ERROR\"))"},
	{"[x] <a@b>", "((NIL NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\"))"},
	{"[x] <a@b>, c@d", "((NIL NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\"))"},
	{"x, [y] <a@b>, c@d", "((NIL NIL \"x\" \"MISSING_DOMAIN\")(NIL NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\"))"},
	{"a:b@c", "((NIL NIL \"a\" NIL)(NIL NIL \"b\" \"c\")(NIL NIL NIL NIL))"},
	{"a: b: c@d;", "((NIL NIL \"a\" NIL)(NIL NIL \"b\" \"MISSING_DOMAIN\")(NIL NIL NIL NIL))"},
	{"a@b <c@d>", "((NIL NIL \"a\" \"b\"))"},
	{"a@b <c@d>, e@f", "((NIL NIL \"a\" \"b\"))"},
	{"=?a?Q?b,c?= <d@e>", "((NIL NIL \"=?a?Q?b\" \"MISSING_DOMAIN\")(\"c?=\" NIL \"d\" \"e\"))"},
	{"a <b@c> <d@e>", "((\"a\" NIL \"b\" \"c\"))"},
	{"a (b) <c@d>", "((\"a\" NIL \"c\" \"d\"))"},
	{"a@b (c) (d)", "((\"d\" NIL \"a\" \"b\"))"},
	{"a@b (c\\)d)", "((\"c)d\" NIL \"a\" \"b\"))"},
	{"a@b (c (d) e)", "((\"c (d) e\" NIL \"a\" \"b\"))"},
	{"a@b ()", "((NIL NIL \"a\" \"b\"))"},
	{"\xe4 <b@c>", "(({1}\r\n\xe4 NIL \"b\" \"c\"))"},
	{"\xe4@b", "((NIL NIL {1}\r\n\xe4 \"b\"))"},
	{"a@\xe4", "((NIL NIL \"a\" {1}\r\n\xe4))"},
	{"<a.b>", "((NIL NIL \"a.b\" \"MISSING_DOMAIN\"))"},
	{"a <\"b\"@c>", "((\"a\" NIL \"b\" \"c\"))"},
	{"a <b.@c>", "((\"a\" NIL \"b.\" \"c\"))"},
	{"a <b @ c>", "((\"a\" NIL \"b\" \"c\"))"},
	{"a@b>", "((NIL NIL \"a\" \"b\"))"},
	{";", "((NIL NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\"))"},
	{"; a@b", "((NIL NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\"))"},
	{"a;b", "((NIL NIL \"a\" \"MISSING_DOMAIN\"))"},
	{"a@b\x00c", "((NIL NIL \"a\" \"b\"))"},
	{"a\x01b@c", "((NIL NIL \"a\" \"MISSING_DOMAIN\"))"},
	{"<a@b>,<c@d", "((NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"SYNTAX_ERROR\"))"},
	{"x <mailto:a@b>", "((\"x\" NIL \"mailto\" \"SYNTAX_ERROR\"))"},
	{"x < a@b >", "((\"x\" NIL \"a\" \"b\"))"},
	{"x <a b@c>", "((\"x\" NIL \"a\" \"SYNTAX_ERROR\"))"},
	{"x <a b@c>, d@e", "((\"x\" NIL \"a\" \"SYNTAX_ERROR\"))"},
	{"<<a@b>>", "((NIL NIL \"MISSING_MAILBOX\" \"SYNTAX_ERROR\"))"},
	{"x@y,z", "((NIL NIL \"x\" \"y\")(NIL NIL \"z\" \"MISSING_DOMAIN\"))"},
	{"x,y", "((NIL NIL \"x\" \"MISSING_DOMAIN\")(NIL NIL \"y\" \"MISSING_DOMAIN\"))"},
	{"x y,z", "((\"x y\" NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\")(NIL NIL \"z\" \"MISSING_DOMAIN\"))"},
	{"\"x\",y", "((\"x\" NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\")(NIL NIL \"y\" \"MISSING_DOMAIN\"))"},
	{"\"x y\",z@a", "((\"x y\" NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\")(NIL NIL \"z\" \"a\"))"},
	{"\"a\" (c) <b@c>", "((\"a\" NIL \"b\" \"c\"))"},
	{"a@b, \"c", "((NIL NIL \"a\" \"b\")(NIL NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\"))"},
	{"a@b, c <d", "((NIL NIL \"a\" \"b\")(\"c\" NIL \"d\" \"SYNTAX_ERROR\"))"},
	{"x <a,b@c>", "((\"x\" NIL \"a\" \"SYNTAX_ERROR\")(NIL NIL \"b\" \"c\"))"},
	{"x <a@b,c@d>", "((\"x\" NIL \"a\" \"SYNTAX_ERROR\")(NIL NIL \"c\" \"d\"))"},
	{"x <a@b;c@d>, e@f", "((\"x\" NIL \"a\" \"SYNTAX_ERROR\"))"},
	{"g: x <a; b@c", "((NIL NIL \"g\" NIL)(\"x\" NIL \"a\" \"SYNTAX_ERROR\")(NIL NIL NIL NIL))"},
	{"a@(c)b", "((\"c\" NIL \"a\" \"b\"))"},
	{"a(x)@b", "((\"x\" NIL \"a\" \"b\"))"},
	{"x <a@b> (y), z@w", "((\"x\" NIL \"a\" \"b\")(NIL NIL \"z\" \"w\"))"},
	{"x (y)", "((\"y\" NIL \"x\" \"MISSING_DOMAIN\"))"},
	{"x y (z)", "((\"x y\" NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\"))"},
	{"x <y@z>, \"a b\" c", "((\"x\" NIL \"y\" \"z\")(\"a b c\" NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\"))"},
	{"<\"a>, b@c", "((NIL NIL \"MISSING_MAILBOX\" \"SYNTAX_ERROR\"))"},
	{"g: a b; c@d", "((NIL NIL \"g\" NIL)(\"a b\" NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\")(NIL NIL NIL NIL))"},
	{"g: a b, d@e; c@d", "((NIL NIL \"g\" NIL)(\"a b\" NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\")(NIL NIL \"d\" \"e\")(NIL NIL NIL NIL))"},
	{"g: @; c@d", "((NIL NIL \"g\" NIL)(NIL NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\")(NIL NIL NIL NIL))"},
}

func TestAddresses(t *testing.T) {
	for _, c := range addressCases {
		got := appendAddresses(nil, parseAddresses(nil, []byte(c.field), DefaultLimits.Addresses))
		if string(got) != c.want {
			t.Errorf("%q\ngot  %q\nwant %q", c.field, got, c.want)
		}
	}
}

func TestAddressLimits(t *testing.T) {
	field := []byte(strings.Repeat("a@b,", 1000))
	if n := len(parseAddresses(nil, field, 10)); n != 10 {
		t.Errorf("%d addresses with a limit of 10", n)
	}
	field = []byte("g:" + strings.Repeat("a@b,", 1000))
	if n := len(parseAddresses(nil, field, 10)); n > 11 {
		t.Errorf("%d entries of a group with a limit of 10", n)
	}
}

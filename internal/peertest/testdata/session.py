"""A broad session with Python's imaplib: session.py HOST PORT tls|starttls|plain USER PASSWORD."""

import imaplib
import ssl
import sys
import time

host, port, security, user, password = sys.argv[1:]
anybody = ssl.create_default_context()
anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE

if security == "tls":
    m = imaplib.IMAP4_SSL(host, int(port), ssl_context=anybody, timeout=20)
else:
    m = imaplib.IMAP4(host, int(port), timeout=20)
    if security == "starttls":
        m.starttls(ssl_context=anybody)


def ok(answer):
    status, data = answer
    assert status == "OK", (status, data)
    return data


def same(got, want):
    assert got == want, f"got {got!r}, want {want!r}"


try:
    m.login(user, "not " + password)
    raise SystemExit("a wrong password was taken")
except imaplib.IMAP4.error as e:
    assert "AUTHENTICATIONFAILED" in str(e), e

m.authenticate("PLAIN", lambda _: f"\0{user}\0{password}".encode())
for capability in ("IMAP4REV1", "UIDPLUS", "MOVE", "IDLE", "NAMESPACE"):
    assert capability in [c.upper() for c in m.capabilities] or capability in ok(m.capability())[0].decode().upper(), capability
ok(m.noop())
assert b'""' in ok(m.namespace())[0]

# Folders, with a name beyond ASCII in modified UTF-7.
folder = '"Entw&APw-rfe &- Pl&AOQ-ne"'
ok(m.create(folder))
ok(m.subscribe(folder))
assert any(b"Entw&APw-rfe &- Pl&AOQ-ne" in line for line in ok(m.list()))
assert any(b"Entw&APw-rfe &- Pl&AOQ-ne" in line for line in ok(m.lsub()))
status, data = m.create(folder)
same(status, "NO")
assert b"ALREADYEXISTS" in data[0], data
same(m.select('"Not there"')[0], "NO")
same(ok(m.select(folder)), [b"0"])
validity = m.response("UIDVALIDITY")[1][0]

# Messages: UTF-8 in the body, an encoded word in the subject.
when = '"17-Jul-1996 02:44:25 -0700"'
for i in range(5):
    text = (
        f"From: =?utf-8?q?J=C3=BCrgen?= <j@example.org>\r\nSubject: =?utf-8?b?TcO8bGxlcg==?= {i}\r\n"
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        f"Straße {i}\r\n" + "x" * i * 1000 + "\r\n"
    ).encode()
    data = ok(m.append(folder, r"(\Seen $Label1)" if i == 0 else None, when, text))
    assert f"APPENDUID {validity.decode()} {i + 1}".encode() in data[0], data
ok(m.noop())
same(ok(m.search(None, "ALL")), [b"1 2 3 4 5"])
m.literal = "MÜLLER 3".encode()
same(ok(m.uid("SEARCH", "CHARSET", "UTF-8", "SUBJECT")), [b"4"])
m.literal = "straße".encode()
same(ok(m.search("UTF-8", "SEEN", "BODY")), [b"1"])
same(ok(m.search(None, "UNSEEN", "LARGER", "3000", 'SENTSINCE', "1-Jan-1990")) , [b""])
same(ok(m.search(None, "UNSEEN", "LARGER", "3000")), [b"4 5"])
same(ok(m.search(None, "BEFORE", "18-Jul-1996", "NOT", "KEYWORD", "$label1")), [b"2 3 4 5"])
status, data = m.search("X-UNKNOWN-CHARSET", "TEXT", "x")
same(status, "NO")
assert b"BADCHARSET" in data[0], data

# FETCH, with partials and parts.
data = ok(m.fetch("5", "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])"))
assert data[0][1] == text, (data[0][1][:300], text[:300])
assert f"RFC822.SIZE {len(text)}".encode() in data[0][0] + data[1], data[0][0]
same(imaplib.Internaldate2tuple(data[0][0])[:5], time.localtime(837596665)[:5])
same(ok(m.uid("FETCH", "5", "(BODY.PEEK[TEXT]<8.10>)"))[0][1], text.split(b"\r\n\r\n", 1)[1][8:18])
assert b"Subject: =?utf-8?b?TcO8bGxlcg==?= 2\r\n\r\n" == ok(m.fetch("3", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))[0][1]
assert b'"=?utf-8?b?TcO8bGxlcg==?= 0"' in ok(m.fetch("1", "(ENVELOPE)"))[0]
assert b'("text" "plain" ("charset" "utf-8") NIL NIL "8bit"' in ok(m.fetch("1", "BODYSTRUCTURE"))[0].lower().replace(b"nil", b"NIL")

# STORE, COPY, MOVE, EXPUNGE.
ok(m.create("Copies"))
assert rb"\Flagged" in ok(m.store("2:3", "+FLAGS", r"(\Flagged Neu)"))[0]
assert b"Neu" in ok(m.uid("STORE", "2", "FLAGS", r"(Neu \Answered)"))[0]
assert rb"\Flagged" not in ok(m.fetch("2", "(FLAGS)"))[0]
assert b"COPYUID" in ok(m.copy("1:2", "Copies"))[0]
ok(m.uid("MOVE", "3", "Copies"))
assert m.response("EXPUNGE")[1] == [b"3"]
ok(m.store("1", "+FLAGS", r"\Deleted"))
same(ok(m.expunge()), [b"1"])
same(ok(m.uid("SEARCH", "ALL")), [b"2 4 5"])
same(ok(m.status("Copies", "(MESSAGES UNSEEN UIDNEXT)")), [b"Copies (MESSAGES 3 UNSEEN 2 UIDNEXT 4)"])
ok(m.rename("Copies", "Copies of mail"[:6] + "2"))
same(ok(m.select("Copies2", readonly=True)), [b"3"])
status, data = m.store("1", "+FLAGS", r"\Deleted")
assert status == "NO", (status, data)
ok(m.unselect())

# IDLE, when imaplib has it (Python 3.14), by hand otherwise.
ok(m.select(folder))
if hasattr(m, "idle"):
    with m.idle(duration=1) as idler:
        for _ in idler:
            pass
else:
    tag = m._new_tag()
    m.send(tag + b" IDLE\r\n")
    line = m._get_line()
    while line.startswith(b"* "):
        line = m._get_line()
    assert line.startswith(b"+ "), line
    m.send(b"DONE\r\n")
    line = m._get_line()
    while not line.startswith(tag):
        line = m._get_line()
    assert line.startswith(tag + b" OK"), line
    m.tagged_commands.pop(tag, None)

# What is not there is refused, and the session goes on.
for command in (lambda: m.getacl("INBOX"), lambda: m.getquotaroot("INBOX"), lambda: m.thread("REFERENCES", "UTF-8", "ALL"), lambda: m.xatom("XNONSENSE")):
    try:
        status, data = command()
        assert status in ("OK", "NO"), (status, data)
    except imaplib.IMAP4.error as e:
        assert "BAD" in str(e), e
ok(m.noop())
ok(m.close())
ok(m.unsubscribe(folder))
ok(m.delete(folder))
ok(m.delete("Copies2"))
same(m.logout()[0], "BYE")
print("all well")

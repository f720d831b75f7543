"""COMPRESS=DEFLATE with zlib itself: compress.py HOST PORT tls|starttls|plain partial|sync|full|all USER PASSWORD."""

import imaplib
import itertools
import random
import ssl
import sys
import zlib

host, port, security, flush, user, password = sys.argv[1:]
anybody = ssl.create_default_context()
anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
modes = {"partial": zlib.Z_PARTIAL_FLUSH, "sync": zlib.Z_SYNC_FLUSH, "full": zlib.Z_FULL_FLUSH}
flushes = itertools.cycle(modes.values() if flush == "all" else [modes[flush]])


class Compressed:
    """imaplib's connection with a stream of zlib in each direction."""

    def __init__(self, m):
        self.sock, self.out, self.back = m.sock, zlib.compressobj(9, zlib.DEFLATED, -15), zlib.decompressobj(-15)
        self.buf, self.sent, self.received = b"", 0, 0
        m.send, m.read, m.readline = self.send, self.read, self.readline

    def send(self, data):
        packet = self.out.compress(data) + self.out.flush(next(flushes))
        self.sent += len(packet)
        self.sock.sendall(packet)

    def more(self):
        packet = self.sock.recv(4096)
        assert packet, "the connection has ended"
        self.received += len(packet)
        self.buf += self.back.decompress(packet)
        assert not self.back.eof and not self.back.unused_data

    def read(self, n):
        while len(self.buf) < n:
            self.more()
        data, self.buf = self.buf[:n], self.buf[n:]
        return data

    def readline(self):
        while b"\n" not in self.buf:
            self.more()
        return self.read(self.buf.index(b"\n") + 1)


def ok(answer):
    status, data = answer
    assert status == "OK", (status, data)
    return data


if security == "tls":
    m = imaplib.IMAP4_SSL(host, int(port), ssl_context=anybody, timeout=20)
else:
    m = imaplib.IMAP4(host, int(port), timeout=20)
    if security == "starttls":
        m.starttls(ssl_context=anybody)
m.login(user, password)
assert b"COMPRESS=DEFLATE" in ok(m.capability())[0]
imaplib.Commands["COMPRESS"] = ("AUTH", "SELECTED")
ok(m._simple_command("COMPRESS", "DEFLATE"))
z = Compressed(m)

folder = f"zlib-{security}-{flush}"
ok(m.create(folder))
ok(m.select(folder))
random.seed(7)
noise = random.randbytes(300_000).hex().encode()
messages = [
    b"Subject: short\r\n\r\nx\r\n",
    b"Subject: long\r\n\r\n" + b"the same again and again\r\n" * 40_000,
    b"Subject: noise\r\n\r\n" + b"\r\n".join(noise[i : i + 76] for i in range(0, len(noise), 76)) + b"\r\n",
]
for text in messages:
    ok(m.append(folder, None, None, text))
for i in range(200):
    ok(m.noop())
# A whole APPEND in one piece, as mbsync sends it: behind a partial flush nothing follows, and the block has codes of its own.
for i in range(50):
    text = f"Subject: {random.random()}\r\nMessage-ID: <{random.random()}@example.org>\r\n\r\n".encode() + random.randbytes(i * 7).hex().encode() + b"\r\n"
    m.send(f"x{i} APPEND {folder} (\\Deleted) {{{len(text)}+}}\r\n".encode() + text + b"\r\n")
    while not (line := m.readline()).startswith(b"x"):
        pass
    assert line.startswith(f"x{i} OK".encode()), line
ok(m.expunge())
for i, text in enumerate(messages):
    data = ok(m.fetch(str(i + 1), "(BODY.PEEK[])"))
    assert data[0][1] == text, (i, len(data[0][1]), len(text))
    # By pieces, pipelined.
    data = ok(m.fetch(str(i + 1), "(BODY.PEEK[]<0.1000> BODY.PEEK[]<1000.70000>)"))
    assert data[0][1] == text[:1000] and data[1][1] == text[1000:71000]
ok(m.store("1:3", "+FLAGS", "(\\Deleted)"))
assert ok(m.expunge()) == [b"3", b"2", b"1"]
assert z.received < 1_300_000, z.received
m.send(b"i IDLE\r\n")
assert m.readline().startswith(b"+ ")
m.send(b"DO")
m.send(b"NE\r\n")
assert m.readline().startswith(b"i OK")
m.send(b"c COMPRESS DEFLATE\r\n")
assert m.readline().startswith(b"c BAD [COMPRESSIONACTIVE]")
m.send(b"z LOGOUT\r\n")
assert m.readline().startswith(b"* BYE") and m.readline().startswith(b"z OK")
assert m.sock.recv(1) == b""
print("all well")

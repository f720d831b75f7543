// A broad session with ImapFlow: session.mjs HOST PORT plain|starttls|tls USER PASSWORD.
import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { ImapFlow } from 'imapflow';

const [host, port, security, user, pass] = process.argv.slice(2);

// Everything that ImapFlow would only warn of is a failure: it works around what it does not understand.
const complaints = [];
const complain = entry => complaints.push(entry.err ?? entry);
const logger = { trace() {}, debug() {}, info() {}, warn: complain, error: complain };

async function connect(options) {
    const client = new ImapFlow({
        host, port: Number(port), secure: security === 'tls', doSTARTTLS: security === 'starttls', tls: { rejectUnauthorized: false },
        auth: { user, pass }, qresync: true, disableAutoIdle: true, logger, ...options
    });
    client.on('error', complain);
    await client.connect();
    return client;
}

// until waits for events of another connection.
async function until(what, condition) {
    for (let i = 0; !condition(); i++) {
        assert(i < 2000, `${what} never came`);
        await sleep(10);
    }
}

const plain = n => `From: "Müller, Jörg" <joerg@example.org>\r\nTo: peer@example.net\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe_${n}?=\r\n`
    + `Date: Tue, 0${n} Jan 2024 03:04:05 +0000\r\nMessage-ID: <${n}@flow>\r\nMIME-Version: 1.0\r\n`
    + `Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n${`Zeile für Zeile ${n}\r\n`.repeat(n)}`;
const picture = Buffer.from(Array.from({ length: 200_000 }, (_, i) => (i * i) >> 7 & 255));
const mixed = 'From: ann@example.org\r\nTo: peer@example.net\r\nSubject: with a picture\r\nDate: Tue, 09 Jan 2024 03:04:05 +0000\r\nMessage-ID: <9@flow>\r\n'
    + 'In-Reply-To: <1@flow>\r\nReferences: <1@flow>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b1"\r\n\r\n'
    + '--b1\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nSch=F6ne Gr=FC=DFe\r\n'
    + '--b1\r\nContent-Type: image/png; name="=?utf-8?b?QmlsZMO8LnBuZw==?="\r\nContent-Transfer-Encoding: base64\r\n'
    + `Content-Disposition: attachment; filename*=utf-8''Bild%C3%BC.png\r\n\r\n${picture.toString('base64').replace(/.{76}/g, '$&\r\n')}\r\n--b1--\r\n`;

const client = await connect();
for (const name of ['CONDSTORE', 'QRESYNC', 'IMAP4REV2', 'UTF8=ACCEPT']) {
    assert(client.enabled.has(name), `${name} was not enabled: ${[...client.enabled]}`);
}
assert(client._inflate, 'no compression');
assert.equal(client.secureConnection, security !== 'plain');

// Mailboxes, with names as people write them.
const folder = 'Flow.Bäume & 木';
assert.deepEqual({ created: true, path: folder }, (({ created, path }) => ({ created, path }))(await client.mailboxCreate(folder)));
assert.equal((await client.mailboxCreate(folder)).created, false);
await client.mailboxCreate('Flow.Archive');
await client.mailboxSubscribe(folder);
const listed = await client.list({ statusQuery: { messages: true, unseen: true, uidNext: true, uidValidity: true, size: true, deleted: true, highestModseq: true } });
const entry = listed.find(e => e.path === folder);
assert(entry.subscribed && entry.listed && entry.delimiter === '.' && entry.parentPath === 'Flow', JSON.stringify(listed, (_, v) => typeof v === 'bigint' ? `${v}` : v));
assert.equal(entry.status.messages, 0);
assert.equal(entry.status.size, 0);
assert(entry.status.highestModseq > 0n && entry.status.uidValidity > 0n);
assert(listed.some(e => e.path === 'INBOX' && e.specialUse === '\\Inbox'));
const tree = await client.listTree();
assert(tree.folders.find(f => f.path === 'Flow').folders.some(f => f.path === folder));

// New mail, which the selected mailbox tells of.
let lock = await client.getMailboxLock(folder);
assert.equal(client.mailbox.path, folder);
assert(client.mailbox.mailboxId && client.mailbox.permanentFlags.has('\\*'));
const uids = [];
for (let n = 1; n <= 4; n++) {
    const added = await client.append(folder, plain(n), n === 2 ? ['\\Seen', '$Work'] : [], new Date(`2024-02-0${n}T10:11:12Z`));
    assert.equal(added.destination, folder);
    assert.equal(added.seq, n);
    assert.equal(added.uidValidity, client.mailbox.uidValidity);
    uids.push(added.uid);
}
uids.push((await client.append(folder, mixed)).uid);
assert.equal(client.mailbox.exists, 5);

// FETCH of everything at once.
const all = await client.fetchAll('1:*', {
    uid: true, flags: true, envelope: true, bodyStructure: true, internalDate: true, size: true, source: true, threadId: true, headers: ['message-id', 'x-none'],
    bodyParts: ['text', '1', { key: '1', start: 2, maxLength: 3 }]
});
assert.deepEqual(all.map(m => m.uid), uids);
for (const [i, m] of all.slice(0, 4).entries()) {
    const n = i + 1;
    assert.equal(m.source.toString(), plain(n));
    assert.equal(m.size, m.source.length);
    assert.equal(m.envelope.subject, `Grüße ${n}`);
    assert.deepEqual(m.envelope.from, [{ name: 'Müller, Jörg', address: 'joerg@example.org' }]);
    assert.equal(m.envelope.messageId, `<${n}@flow>`);
    assert.equal(m.internalDate.toISOString(), `2024-02-0${n}T10:11:12.000Z`);
    assert.equal(m.headers.toString(), `Message-ID: <${n}@flow>\r\n\r\n`);
    assert.equal(m.bodyStructure.type, 'text/plain');
    assert.equal(m.bodyStructure.lineCount, n);
    assert.equal(m.bodyParts.get('text').toString(), `Zeile für Zeile ${n}\r\n`.repeat(n));
    assert(m.modseq > 0n && m.emailId && m.threadId);
}
assert.deepEqual([...all[1].flags].sort(), ['$Work', '\\Seen']);
assert.equal(all[4].threadId, all[0].threadId);
assert.deepEqual(all[4].bodyStructure.childNodes.map(c => [c.part, c.type, c.encoding]), [['1', 'text/plain', 'quoted-printable'], ['2', 'image/png', 'base64']]);
assert.equal(all[4].bodyStructure.childNodes[1].dispositionParameters.filename, 'Bildü.png');

// Parts, in chunks and decoded, here and by the server.
for (const binary of [false, true]) {
    const words = await client.download(uids[4], '1', { uid: true, binary });
    assert.equal((await text(words.content)).trim(), 'Schöne Grüße');
    for (const chunkSize of [4096, 65536]) {
        const download = await client.download(uids[4], '2', { uid: true, chunkSize, binary });
        assert.equal(download.meta.contentType, 'image/png');
        assert.equal(download.meta.filename, 'Bildü.png');
        const chunks = [];
        for await (const chunk of download.content) chunks.push(chunk);
        assert(Buffer.concat(chunks).equals(picture), `the picture, binary ${binary}, chunks of ${chunkSize}`);
    }
    const many = await client.downloadMany(uids[4], ['1', '2'], { uid: true, binary });
    assert(many[2].content.equals(picture));
}
assert.equal(await text((await client.download(uids[2], undefined, { uid: true })).content), plain(3));
assert(Buffer.from(mixed).equals(await client.fetchOne('*', { source: true }).then(m => m.source)));

// SEARCH
const found = query => client.search(query, { uid: true });
assert.deepEqual(await found({ all: true }), uids);
assert.deepEqual(await found({ body: 'für' }), uids.slice(0, 4));
assert.deepEqual(await found({ subject: 'GRÜSSE 3' }), []);
assert.deepEqual(await found({ subject: 'grüße 3' }), [uids[2]]);
assert.deepEqual(await found({ seen: true, keyword: '$Work' }), [uids[1]]);
assert.deepEqual(await found({ or: [{ from: 'ann@' }, { header: { 'message-id': '<1@flow>' } }], not: { deleted: true } }), [uids[0], uids[4]]);
assert.deepEqual(await found({ since: '2024-02-02', before: '2024-02-03' }), [uids[1]]);
assert.deepEqual(await found({ larger: 100_000 }), [uids[4]]);
assert.deepEqual(await found({ emailId: all[3].emailId }), [uids[3]]);
assert.deepEqual(await found({ threadId: all[0].threadId }), [uids[0], uids[4]]);
const results = returnOptions => client.search({ all: true }, { uid: true, returnOptions });
assert.deepEqual(await results(['MIN', 'MAX', 'COUNT', 'ALL']), { min: uids[0], max: uids[4], count: 5, all: `${uids[0]}:${uids[4]}` });
assert.deepEqual(await results(['COUNT', { partial: '-1:-2' }]), { count: 5, partial: { range: '-1:-2', messages: `${uids[3]}:${uids[4]}` } });
const changed = await client.search({ modseq: all[4].modseq }, { uid: true, returnOptions: ['COUNT'] });
assert.equal(changed.count, 1);
assert(changed.modseq >= all[4].modseq);

// Flags, and what a second connection that idles is told.
const watcher = await connect();
const events = [];
for (const name of ['exists', 'expunge', 'flags']) {
    watcher.on(name, e => events.push(`${name} ${e.uid ?? e.count} ${e.flags ? [...e.flags].sort().join(',') : e.vanished ?? e.prevCount}`));
}
await watcher.mailboxOpen(folder);
const idle = watcher.idle();
await until('IDLE', () => watcher.idling);
const told = line => until(line, () => events.includes(line));

const { modseq } = all[4];
assert(await client.messageFlagsAdd(uids[0], ['\\Flagged', 'Grun'], { uid: true }));
await told(`flags ${uids[0]} Grun,\\Flagged`);
assert(await client.messageFlagsRemove({ keyword: '$Work' }, ['$Work'], { uid: true }));
await told(`flags ${uids[1]} \\Seen`);
assert(await client.messageFlagsSet(uids[2], ['\\Answered'], { uid: true, unchangedSince: all[2].modseq, silent: true }));
await told(`flags ${uids[2]} \\Answered`);
await client.messageFlagsSet(uids[2], ['\\Draft'], { uid: true, unchangedSince: all[2].modseq });
assert(await client.setFlagColor(uids[3], 'green', { uid: true }));
assert.equal((await client.fetchOne(uids[3], { flags: true }, { uid: true })).flagColor, 'green');
const since = await client.fetchAll('1:*', { flags: true }, { uid: true, changedSince: modseq });
assert.deepEqual(since.map(m => m.uid), uids.slice(0, 4));
assert.deepEqual([...since[2].flags], ['\\Answered']);

const copied = await client.messageCopy(`${uids[0]}:${uids[1]}`, 'Flow.Archive', { uid: true });
assert.equal(copied.uidMap.size, 2);
const moved = await client.messageMove(uids[1], 'Flow.Archive', { uid: true });
assert(moved.uidMap.get(uids[1]) > copied.uidMap.get(uids[1]));
await told(`expunge ${uids[1]} true`);
assert(await client.messageDelete(uids[3], { uid: true }));
await told(`expunge ${uids[3]} true`);
const added = await client.append(folder, plain(6), ['\\Seen']);
await told('exists 4 3');
assert.equal(client.mailbox.exists, 4);
await until('the same view', () => watcher.mailbox.exists === 4);
assert.deepEqual(await watcher.search({ all: true }, { uid: true }), [uids[0], uids[2], uids[4], added.uid]);
await idle;
lock.release();

// QRESYNC: what happened since all was fetched, for another connection.
const late = await connect();
const news = [];
late.on('flags', e => news.push(`flags ${e.uid}`));
late.on('expunge', e => news.push(`expunge ${e.uid} ${e.earlier}`));
const opened = await late.mailboxOpen(folder, { uidValidity: client.mailbox.uidValidity, changedSince: modseq });
assert(opened.qresync && opened.exists === 4 && opened.highestModseq > modseq);
// the new message is told of like a changed one
assert.deepEqual(news.sort(), [`expunge ${uids[1]} true`, `expunge ${uids[3]} true`, `flags ${uids[0]}`, `flags ${uids[2]}`, `flags ${added.uid}`].sort());
assert.equal((await late.mailboxOpen('Flow.Archive', { readOnly: true })).readOnly, true);
assert.equal(late.mailbox.exists, 3);
await late.logout();

// STATUS, quota, renaming and removing mailboxes.
const status = await client.status('Flow.Archive', { messages: true, unseen: true, uidNext: true, size: true, deleted: true, highestModseq: true });
assert.equal(status.messages, 3);
assert.equal(status.unseen, 1);
assert.equal(status.deleted, 0);
assert.equal(await client.status('Flow.None', { messages: true }).catch(e => e.code), 'NotFound');
const quota = await client.getQuota(folder);
assert.equal(quota && quota.path, folder);
assert.deepEqual(complaints, []);
await assert.rejects(client.mailboxOpen('Flow.None'), e => e.mailboxMissing);
assert.deepEqual(complaints.splice(0).map(e => e.serverResponseCode), ['NONEXISTENT']);
await client.mailboxClose();
assert.deepEqual(await client.mailboxRename(folder, 'Flow.Ґаї'), { path: folder, newPath: 'Flow.Ґаї' });
const renamed = await client.mailboxOpen('Flow.Ґаї');
assert.equal(renamed.mailboxId, opened.mailboxId);
assert.equal(renamed.uidValidity, opened.uidValidity);
await client.mailboxDelete('Flow.Archive');
assert(!(await client.list()).some(e => e.path === 'Flow.Archive'));
await client.mailboxClose();
await client.mailboxDelete('Flow.Ґаї');
await watcher.logout();
await client.logout();

assert.deepEqual(complaints, []);
console.log('all well');

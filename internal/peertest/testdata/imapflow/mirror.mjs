// Keeps a copy of an account in a JSON file, by QRESYNC: mirror.mjs HOST PORT USER PASSWORD FILE. Prints what each mailbox cost.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { ImapFlow } from 'imapflow';

const [host, port, user, pass, file] = process.argv.slice(2);
const copy = existsSync(file) ? JSON.parse(readFileSync(file)) : {}; // path → { id, uidValidity, modseq, mail: uid → { flags, source } }
const complain = entry => { throw entry.err ?? new Error(entry.msg); };
const client = new ImapFlow({
    host, port: Number(port), secure: true, tls: { rejectUnauthorized: false }, auth: { user, pass }, qresync: true, disableAutoIdle: true,
    logger: { trace() {}, debug() {}, info() {}, warn: complain, error: complain }
});

let box; // what events are about
let cost;
client.on('flags', e => {
    cost.flags++;
    if (box.mail[e.uid]) box.mail[e.uid].flags = [...e.flags];
});
client.on('expunge', e => {
    cost.gone++;
    delete box.mail[e.uid];
});

await client.connect();
const entries = (await client.list({ listOnly: true })).filter(e => !e.flags.has('\\Noselect'));
// A mailbox that is not where it was may have another name now, which its identifier tells.
const lost = Object.entries(copy).filter(([path]) => !entries.some(e => e.path === path));
for (const [path] of lost) delete copy[path];
for (const { path } of entries) {
    let opened;
    const open = async known => {
        box = known;
        cost = { flags: 0, gone: 0, sources: 0 };
        opened = await client.mailboxOpen(path, known.uidValidity && { readOnly: true, uidValidity: known.uidValidity, changedSince: BigInt(known.modseq) });
    };
    await open(copy[path] ?? { mail: {} });
    const renamed = lost.find(([, known]) => known.id === opened.mailboxId);
    if (renamed) await open(renamed[1]);
    if (box.uidValidity !== `${opened.uidValidity}`) box.mail = {};
    Object.assign(box, { id: opened.mailboxId, uidValidity: `${opened.uidValidity}`, modseq: `${opened.highestModseq}` });
    copy[path] = box;

    const known = Math.max(0, ...Object.keys(box.mail));
    const fresh = opened.exists && opened.uidNext > known + 1 ? client.fetch(`${known + 1}:*`, { flags: true, source: true }, { uid: true }) : [];
    for await (const m of fresh) {
        if (m.uid <= known) continue; // n:* is never empty
        cost.sources++;
        box.mail[m.uid] = { flags: [...m.flags], source: m.source.toString('base64') };
    }
    const uids = await client.search({ all: true }, { uid: true });
    if (`${uids}` !== `${Object.keys(box.mail)}`) throw new Error(`${path}: the server has ${uids}, the copy ${Object.keys(box.mail)}`);
    console.log(`${path}: ${cost.flags} flags, ${cost.gone} gone, ${cost.sources} sources`);
}
await client.logout();
writeFileSync(file, JSON.stringify(copy));

# A broad session with Mail::IMAPClient: session.pl HOST PORT plain|tls USER PASSWORD.
use strict;
use warnings;
use utf8;
use Encode qw(encode);
use Mail::IMAPClient;

my ($host, $port, $security, $user, $password) = @ARGV;

sub check {
    my ($what, $ok, @more) = @_;
    die "$what: @more\n" unless $ok;
}

my $imap = Mail::IMAPClient->new(
    Server => $host, Port => $port, User => $user, Password => $password, Uid => 1, Timeout => 20,
    ($security eq 'tls' ? (Ssl => [SSL_verify_mode => 0]) : ()),
) or die "connect: $@\n";
check('authenticated', $imap->IsAuthenticated);
check('capability', $imap->has_capability('UIDPLUS') && $imap->has_capability('MOVE'));

check('separator', $imap->separator eq '.', $imap->separator);
my $folder = 'Perl.Bäume';
my $encoded = 'Perl.B&AOQ-ume';
check('create', $imap->create($encoded), $imap->LastError);
check('exists', $imap->exists($encoded));
check('folders', (grep { $_ eq $encoded } $imap->folders), join ' ', $imap->folders);
check('subscribe', $imap->subscribe($encoded) && grep { $_ eq $encoded } $imap->subscribed);
check('is_parent', $imap->is_parent('Perl'));

my @uids;
for my $i (1 .. 4) {
    my $body = encode('UTF-8', "Grüße Nummer $i, Ελλάδα\r\n" x $i);
    my $text = "From: Perl <perl\@example.org>\r\nTo: a\@example.org, \"B, C\" <bc\@example.org>\r\nSubject: test $i\r\n"
      . "Date: Tue, 0$i Jan 2024 03:04:05 +0000\r\nMessage-ID: <$i\@perl>\r\nContent-Type: text/plain; charset=UTF-8\r\n"
      . "Content-Transfer-Encoding: 8bit\r\n\r\n$body";
    my $uid = $imap->append_string($encoded, $text, $i == 2 ? '\\Seen $Work' : '', "0$i-Jan-2024 03:04:05 +0000");
    check("append_string $i", $uid, $imap->LastError);
    push @uids, $uid;
    check('select', $imap->select($encoded), $imap->LastError) if $i == 1;
    my $back = $imap->message_string($uid);
    check("message_string $i", $back eq $text, length $back, length $text);
}
check('count', $imap->message_count == 4, $imap->message_count);
check('unseen', $imap->unseen_count == 3 || $imap->unseen_count == 0, $imap->unseen_count // 'undef');
check('search', "@{[$imap->search('SUBJECT', \'test 3')]}" eq "$uids[2]");
my @found = $imap->search('CHARSET', 'UTF-8', 'TEXT', \encode('UTF-8', 'ελλάδα'));
check('search in UTF-8', "@found" eq "@uids", "@found", $imap->LastError // '');
check('sentsince', join(' ', grep { defined } $imap->sentsince('03-Jan-2024')) eq "@uids[2, 3]", $imap->LastError // '', $imap->sentsince('03-Jan-2024'), $imap->Results);
check('messages', "@{[$imap->messages]}" eq "@uids");

my $headers = $imap->parse_headers([@uids], 'Subject', 'To', 'Message-ID');
for my $i (1 .. 4) {
    my $h = $headers->{ $uids[$i - 1] };
    check("parse_headers $i", $h->{Subject}[0] eq "test $i" && $h->{To}[0] eq 'a@example.org, "B, C" <bc@example.org>' && $h->{'Message-ID'}[0] eq "<$i\@perl>");
}
check('subject', $imap->subject($uids[0]) eq 'test 1');
check('size', $imap->size($uids[0]) == length $imap->message_string($uids[0]));
check('internaldate', $imap->internaldate($uids[2]) =~ /^0?3-Jan-2024 03:04:05 \+0000$/, $imap->internaldate($uids[2]));
my $envelope = $imap->get_envelope($uids[1]);
check('get_envelope', $envelope->subject eq 'test 2' && (my @to = $envelope->to_addresses) == 2, $envelope ? $envelope->subject : '');
my $structure = $imap->get_bodystructure($uids[1]);
check('get_bodystructure', $structure && $structure->bodytype eq 'TEXT' && lc $structure->bodyenc eq '8bit');
my $flags = $imap->fetch_hash([@uids], 'FLAGS', 'RFC822.SIZE');
check('fetch_hash', $flags->{ $uids[1] }{FLAGS} =~ /\$Work/, $flags->{ $uids[1] }{FLAGS});

check('set_flag', $imap->set_flag('Flagged', $uids[0], $uids[3]) && "@{[$imap->search('FLAGGED')]}" eq "$uids[0] $uids[3]");
check('unset_flag', $imap->unset_flag('Flagged', $uids[0]) && "@{[$imap->search('FLAGGED')]}" eq "$uids[3]");
check('see', $imap->see(@uids) && !grep { defined } $imap->search('UNSEEN'));
check('copy', $imap->copy('INBOX', $uids[0]), $imap->LastError);
check('move', $imap->move('INBOX', $uids[1]), $imap->LastError);
check('expunge', defined $imap->expunge, $imap->LastError);
check('messages', "@{[$imap->messages]}" eq "@uids[0, 2, 3]", $imap->messages);
check('delete_message', $imap->delete_message($uids[2]) && defined $imap->uidexpunge($uids[2]), $imap->LastError);
check('messages', "@{[$imap->messages]}" eq "@uids[0, 3]", $imap->messages);
check('status', $imap->status('INBOX', 'MESSAGES') && $imap->message_count('INBOX') == 2, $imap->LastError);
my $tag = $imap->idle;
check('idle', $tag && $imap->done($tag), $imap->LastError);
check('close', $imap->close, $imap->LastError);
check('rename', $imap->rename($encoded, 'Perl.Renamed') && !$imap->exists($encoded), $imap->LastError);
check('delete', $imap->delete('Perl.Renamed'), $imap->LastError);
check('select INBOX', $imap->select('INBOX') && $imap->message_count == 2);
check('delete all', $imap->delete_message([$imap->messages]) && defined $imap->expunge);
check('logout', $imap->logout);
print "all well\n";

package auth

import (
	"strings"
	"testing"
)

// Made by doveadm pw -p secret -u alice@example.org (Dovecot 2.3.19.1) and, where it says so, by crypt(3) of libxcrypt 4.4.33.
var vectors = []string{
	"{PLAIN}secret",
	"{CLEAR}secret",
	"{CLEARTEXT}secret",
	"{cleartext}secret",
	"{PLAIN-TRUNC}3-sec",
	"{PLAIN-TRUNC}9-secret",
	"{CRYPT}$2y$05$.ergvpyu3bGihelWltugwedm.orTGbCS9I7aMUJaqu86vZsH18D1e",
	"{BLF-CRYPT}$2y$05$GxdlJUbWtigHfTFOsfSs9eKLGczlXprHtwhNqvtPhNhmEpM19kkHG",
	"{SHA256-CRYPT}$5$BdaptREv5/xUt1A.$CU3ly2WGkL.P0XZ7eXPuxgxhfNJmALKjW95xf2hMPOC",
	"{SHA512-CRYPT}$6$VajAwho6tZJcF3aN$YB6NZHjEi0KZDIR4j.EZMh6O.7pbkZhY3jsuK.5ZzXuPPXUmJU9JS.9M04.wE00OVr/NCEnHaYF3dN//.Ejse1",
	"{MD5-CRYPT}$1$hVQV0yvA$VM5.2SnZyc30sA9Fi033Y.",
	"{DES-CRYPT}wo5sKR1KsgXKI",
	"{MD5}$1$LNOmpJh2$j4BqT.ADP9mVuYYG7SMh9/",
	"{MD5}5ebe2294ecd0e0f08eab7690d2a6ee69",
	"{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$LtdwAuVG2/nPsny7cfvNwg$5Xk+zcfckrSJE2pGE83EJ5BhVFwyYomKZbfW5d/4OGE",
	"{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$gq66tciRk/nrqxP4KTvbGQ$BSuX7VXTqS2eskFbhcePSWGdptfUyaFFXMlvJ4Tn2ZY",
	"{ARGON2}$argon2id$v=19$m=65536,t=3,p=1$gq66tciRk/nrqxP4KTvbGQ$BSuX7VXTqS2eskFbhcePSWGdptfUyaFFXMlvJ4Tn2ZY",
	"{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
	"{SHA1}5en6G6MezRroT3XKqkdPOmY/BfQ=",
	"{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=",
	"{SHA512}vSsar3708Jvp9Szi2NWZZ02Bqp1qRCFpbcTZPdBhnWgs5WtNZKnvCXdhztmeD2cmW192CF5bDufKRpayrW/isg==",
	"{SSHA}+AKzz5qP0MbQmFByiE8YzXziEjhdlYGY",
	"{SSHA256}KhT/fSLT15R87Bq7gxR3bEneNmnqE2zRIdDZmdsgCwjTm0Xt",
	"{SSHA512}sWgJZ/mm8vmLldIZJM/NRyKSH8D2xGnZKC8sSilFooL38VnKPUJbiz8mmoForatRrGxgklVGd2dArRxbxBNhlQQ4co4=",
	"{SMD5}9HDokSAM+ZIk8jTBiipclcLKMoM=",
	"{PLAIN-MD5}5ebe2294ecd0e0f08eab7690d2a6ee69",
	"{PLAIN-MD4}67d3dafef63ff00603aeef3769cfbf0d",
	"{LDAP-MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ==",
	"{CRAM-MD5}cd3ba7deaad6e5ca23448ba42e379747a9e0f7f1fbc00c8a81bbaac395731b56",
	"{HMAC-MD5}cd3ba7deaad6e5ca23448ba42e379747a9e0f7f1fbc00c8a81bbaac395731b56",
	"{DIGEST-MD5}543e1aec5d3614f03141652d6ada51b2",
	"{SCRAM-SHA-1}4096,mfBiJeEJ9gVIqH8MSjncFA==,hhNQtSncMxdVhq+ksRmTIwoNESs=,EmDr9Rq+DBNNFiJKpxYlfji5toA=",
	"{SCRAM-SHA-256}4096,xurwW7prpTbsBqFrUzifXQ==,T2byvFnqzhAy/cZ5dFVUsuNu0dRNOLcm/952ooHfTdY=,qIgxtbyJDIjQwi5XBW7Du1Zeh3h4uKIRU5N3rSCOfpA=",
	"{PBKDF2}$1$R0oStLHVdSJlSjvc$5000$e508452b11953769c3b314876315500fa7a49943",
	// Encodings.
	"{SHA256.HEX}2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b",
	"{SHA256}2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b",
	"{SSHA512.HEX}2b8df8b0a9480764c13711848aa474001374b63fa6b827434781a5a7145e6ea3915f2c407a84e8f2a7349c1f0f7a5369d0edcc82de7c8c54bd4f8d2227bffd1438fdd109",
	"{SMD5.HEX}7e52d28728fa64e7ee6a5244902074332b22ab0b",
	"{PLAIN.B64}c2VjcmV0",
	"{PLAIN-MD5.B64}Xr4ilOzQ4PCOq3aQ0qbuaQ==",
	"{ARGON2ID.B64}JGFyZ29uMmlkJHY9MTkkbT02NTUzNix0PTMscD0xJEdpMFFmcHdFZGFidTV2N0NHWTBKMFEkVktNOXZxZ2VqQWRUNllTbDU3aDk1ZDZDUEtqU2NyNjhubmV0RmpINTZDWQ==",
	"{SHA256-CRYPT.B64}JDUkVkV0UmVLS0FsYjV6dXVKbCRhL2dCb3BLV0VHay5iQjhZS2g3clduekVVL3VUL3FLazBGRENSakFJNmhD",
	"{CRAM-MD5.B64}zTun3qrW5cojRIukLjeXR6ng9/H7wAyKgbuqw5VzG1Y=",
	// Without braces, and the old suffixes.
	"$1$hVQV0yvA$VM5.2SnZyc30sA9Fi033Y.",
	"wo5sKR1KsgXKI",
	"$2y$05$.ergvpyu3bGihelWltugwedm.orTGbCS9I7aMUJaqu86vZsH18D1e",
	"wo5sKR1KsgXKI[13]",
	"5ebe2294ecd0e0f08eab7690d2a6ee69[34]",
	"543e1aec5d3614f03141652d6ada51b2[56]",
	// crypt(3).
	"{CRYPT}$y$j9T$F5Jx5fExrKuPp53xLKQ..1$GmcwIgvdUC9qLWcKCi6gklUa1dM3ziD43YxYNURLKy0",
	"{CRYPT}$y$j75$F5Jx5fExrKuPp53xLKQ..1$l5YiXCKNY/N9ezall4xjJAFS/wg.kWVcFXfOzyxVn1.",
	"{CRYPT}$2a$05$F5Jx5fExrKuPp53xLKQ..ua5izDKvupnsGZ9Nt.j.yvaD0OP6BLbe",
	"{CRYPT}$2b$05$F5Jx5fExrKuPp53xLKQ..ua5izDKvupnsGZ9Nt.j.yvaD0OP6BLbe",
	"{CRYPT}$2x$05$F5Jx5fExrKuPp53xLKQ..ua5izDKvupnsGZ9Nt.j.yvaD0OP6BLbe",
	"{CRYPT}$sha1$1000$F5Jx5fEx$BXnAtZwo0qQTvdTlB8GJ3FCan2ry",
	"{CRYPT}abNANd1rDfiNc",
}

func TestSchemes(t *testing.T) {
	for _, stored := range vectors {
		s, err := parseSecret(stored, "CRYPT")
		if err != nil {
			t.Errorf("%s: %v", stored, err)
			continue
		}
		const user = "alice@example.org"
		if !s.verify(user, "secret") {
			t.Errorf("%s does not verify", stored)
		}
		// Only the first octets count in one of these.
		long := s.scheme == "PLAIN-TRUNC" && strings.Contains(stored, "}3-")
		if strings.HasPrefix(s.kind, "ARGON2") || strings.HasPrefix(s.kind, "CRYPT$y") {
			if s.verify(user, "secre") { // slow on purpose: one is enough
				t.Errorf("%s accepts a wrong password", stored)
			}
			continue
		}
		for _, wrong := range []string{"Secret", "", "se"} {
			if s.verify(user, wrong) {
				t.Errorf("%s accepts %q", stored, wrong)
			}
		}
		for _, wrong := range []string{"secre", "secret2"} {
			if got := s.verify(user, wrong); got != long {
				t.Errorf("%s: %q accepted: %v", stored, wrong, got)
			}
		}
	}
}

func TestHashRoundTrip(t *testing.T) {
	for _, scheme := range Schemes() {
		stored, err := Hash(scheme, "pässword 1")
		if err != nil {
			t.Fatalf("%s: %v", scheme, err)
		}
		s, err := parseSecret(stored, "CRYPT")
		if err != nil {
			t.Fatalf("%s: %v", stored, err)
		}
		if s.scheme != scheme || !s.verify("u", "pässword 1") || s.verify("u", "password 1") {
			t.Errorf("%s does not verify what it hashed", scheme)
		}
		if again, _ := Hash(scheme, "pässword 1"); again == stored && scheme != "PLAIN" {
			t.Errorf("%s has no salt", scheme)
		}
	}
	for _, bad := range [][2]string{{"ROT13", "x"}, {"ARGON2ID", ""}, {"ARGON2ID", "a\nb"}, {"PLAIN", "a:b"}, {"BLF-CRYPT", strings.Repeat("x", 73)}} {
		if got, err := Hash(bad[0], bad[1]); err == nil {
			t.Errorf("Hash(%q, %q) = %q", bad[0], bad[1], got)
		}
	}
}

func TestBcryptCountsOnly72Octets(t *testing.T) {
	long := strings.Repeat("x", 72)
	stored, err := Hash("BLF-CRYPT", long)
	if err != nil {
		t.Fatal(err)
	}
	s, err := parseSecret(stored, "CRYPT")
	if err != nil || !s.verify("", long+"more") {
		t.Errorf("a longer password is not cut as crypt(3) does: %v", err)
	}
}

func TestBrokenSecrets(t *testing.T) {
	for _, stored := range []string{
		"", "{PLAIN}", "{CRYPT}", "{", "{PLAIN", "{ROT13}x", "{PLAIN.rot}x", "{CRYPT}x", "{CRYPT}$9$x$y", "*", "!", "x", "{CRYPT}!",
		"{SHA256}abc", "{SSHA}AAAA", "{SHA256.HEX}zz", "{CRAM-MD5}00", "{PBKDF2}$1$a$b", "{PBKDF2}$1$a$0$e508452b11953769c3b314876315500fa7a49943",
		"{PBKDF2}$1$a$99999999999$e508452b11953769c3b314876315500fa7a49943", "{SCRAM-SHA-256}1,AAAA,AAAA,AAAA", "{SCRAM-SHA-256}4096,a,b",
		"{SCRAM-SHA-256}100,xurwW7prpTbsBqFrUzifXQ==,T2byvFnqzhAy/cZ5dFVUsuNu0dRNOLcm/952ooHfTdY=,qIgxtbyJDIjQwi5XBW7Du1Zeh3h4uKIRU5N3rSCOfpA=",
		"{ARGON2ID}$argon2i$v=19$m=32768,t=4,p=1$LtdwAuVG2/nPsny7cfvNwg$5Xk+zcfckrSJE2pGE83EJ5BhVFwyYomKZbfW5d/4OGE",
		"{ARGON2ID}$argon2id$v=19$m=4294967295,t=3,p=1$gq66tciRk/nrqxP4KTvbGQ$BSuX7VXTqS2eskFbhcePSWGdptfUyaFFXMlvJ4Tn2ZY",
		"{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=0$gq66tciRk/nrqxP4KTvbGQ$BSuX7VXTqS2eskFbhcePSWGdptfUyaFFXMlvJ4Tn2ZY",
		"{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$gq66tciRk/nrqxP4KTvbGQ$", "{ARGON2ID}$argon2id$v=19$m=65536$a$b",
		"{BLF-CRYPT}$2y$31$GxdlJUbWtigHfTFOsfSs9eKLGczlXprHtwhNqvtPhNhmEpM19kkHG", "{BLF-CRYPT}$2y$05$short", "{BLF-CRYPT}$6$a$b",
		"{SHA512-CRYPT}$6$rounds=999999999$a$b", "{SHA512-CRYPT}$6$", "{CRYPT}$y$", "{CRYPT}$y$j9T$x$y", "{CRYPT}$y$zzzzzzzz$F5Jx5fExrKuPp53xLKQ..1$GmcwIgvdUC9qLWcKCi6gklUa1dM3ziD43YxYNURLKy0",
		"{CRYPT}$7$CU..../....F5Jx5fExrKuPp53xLKQ..1$whrYe9Xe1y0TuvX2p7d.1q1OxyBsKCsnXfJ.FlXyXS6", "{PLAIN-TRUNC}secret", "{DES-CRYPT}abNANd1rDfiN ",
		"{CRYPT}$gy$j9T$F5Jx5fExrKuPp53xLKQ..1$uE5FcoxTz78xZpMZkpTmj/0MogyeNUSLIjdCxpQjz.8",
	} {
		if s, err := parseSecret(stored, "CRYPT"); err == nil {
			t.Errorf("%q is accepted as %s", stored, s.scheme)
		}
	}
}

func FuzzSecret(f *testing.F) {
	for _, v := range vectors {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, stored string) {
		s, err := parseSecret(stored, "CRYPT")
		if err == nil && s.verify == nil {
			t.Fatal("a secret that cannot be verified")
		}
		if err == nil && !s.heavy {
			s.verify("alice@example.org", "x")
		}
	})
}

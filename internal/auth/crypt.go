package auth

import (
	"crypto/hmac"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-crypt/crypt"
	"github.com/go-crypt/crypt/algorithm"
	"github.com/go-crypt/crypt/algorithm/argon2"
	"github.com/go-crypt/crypt/algorithm/bcrypt"
	"github.com/go-crypt/crypt/algorithm/md5crypt"
	"github.com/go-crypt/crypt/algorithm/sha1crypt"
	"github.com/go-crypt/crypt/algorithm/shacrypt"
	"github.com/go-crypt/x/yescrypt"
)

// What a stored hash may cost. The file is trusted; these catch nonsense before it takes the machine down.
const (
	maxHashMemory = 1 << 30 // octets
	maxBcryptCost = 20
	bcryptLength  = 72 // octets of the password that count
)

// modular reads the crypt(3) formats and Argon2 strings.
var modular = func() *crypt.Decoder {
	d := crypt.NewDecoder()
	for _, register := range []func(algorithm.DecoderRegister) error{
		argon2.RegisterDecoder, bcrypt.RegisterDecoderStandard, md5crypt.RegisterDecoderCommon, sha1crypt.RegisterDecoder, shacrypt.RegisterDecoder,
	} {
		if err := register(d); err != nil {
			panic(err)
		}
	}
	return d
}()

// cryptWith accepts only hashes of crypt(3) that begin with prefix.
func cryptWith(prefix string) func(*secret, string) (verify, error) {
	return func(s *secret, data string) (verify, error) {
		if !strings.HasPrefix(data, prefix) {
			return nil, fmt.Errorf("%s needs a hash that begins with %s", s.scheme, prefix)
		}
		return parseCrypt(s, data)
	}
}

// parseCrypt: anything crypt(3) of today's systems writes.
func parseCrypt(s *secret, data string) (verify, error) {
	s.kind = kindOf("CRYPT", data)
	switch {
	case strings.HasPrefix(data, "$2"):
		return parseBcrypt(data)
	case strings.HasPrefix(data, "$y$"):
		return parseYescrypt(data)
	case strings.HasPrefix(data, "$1$"), strings.HasPrefix(data, "$5$"), strings.HasPrefix(data, "$6$"), strings.HasPrefix(data, "$sha1$"):
		if rounds(data) > maxIterations {
			return nil, fmt.Errorf("more than %d rounds", maxIterations)
		}
		return parseModular(data)
	case !strings.HasPrefix(data, "$"):
		return parseDES(s, data)
	}
	kind, _, _ := strings.Cut(data[1:], "$")
	return nil, fmt.Errorf("crypt format %q is not supported", "$"+kind+"$")
}

// rounds finds the rounds of $5$rounds=N$… and $sha1$N$…; 0 when there are none.
func rounds(data string) int {
	part := strings.Split(data, "$")
	if len(part) < 4 {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimPrefix(part[2], "rounds="))
	if err != nil && strings.HasPrefix(part[2], "rounds=") {
		return maxIterations + 1
	}
	if err != nil || part[1] != "sha1" && !strings.HasPrefix(part[2], "rounds=") {
		return 0
	}
	return n
}

func parseModular(data string) (verify, error) {
	d, err := modular.Decode(data)
	if err != nil {
		return nil, errors.New("broken password hash")
	}
	return func(_, password string) bool { return d.Match(password) }, nil
}

func parseBcrypt(data string) (verify, error) {
	part := strings.Split(data, "$")
	if len(part) != 4 {
		return nil, errors.New("broken bcrypt hash")
	}
	if cost, err := strconv.Atoi(part[2]); err != nil || cost < 4 || cost > maxBcryptCost {
		return nil, fmt.Errorf("bcrypt cost %s is not between 4 and %d", part[2], maxBcryptCost)
	}
	match, err := parseModular(data)
	if err != nil {
		return nil, err
	}
	return func(user, password string) bool {
		if len(password) > bcryptLength {
			password = password[:bcryptLength] // as crypt(3) does
		}
		// $2x$ marks hashes of an implementation that got octets above 127 wrong; for others it is the same as $2y$.
		if part[1] == "2x" && strings.ContainsFunc(password, func(r rune) bool { return r > 127 }) {
			password = ""
		}
		return match(user, password)
	}, nil
}

// parseYescrypt: $y$j<N><r>$<salt>$<43 characters>, which is all that crypt_gensalt of libxcrypt makes.
func parseYescrypt(data string) (verify, error) {
	part := strings.Split(data, "$")
	if len(part) != 5 || len(part[2]) != 3 || part[2][0] != 'j' || part[3] == "" || len(part[4]) != 43 {
		return nil, errors.New("broken yescrypt hash")
	}
	// The library bounds N to 2^18 and r to 32.
	if n, r := cryptValue(part[2][1])+1, cryptValue(part[2][2])+1; n < 10 || n > 18 || r < 1 || r > 32 {
		return nil, errors.New("yescrypt parameters are out of range")
	}
	return func(_, password string) bool {
		got, err := yescrypt.Hash([]byte(password), []byte(data))
		return err == nil && hmac.Equal(got, []byte(data))
	}, nil
}

// cryptValue is what a character of crypt(3)'s alphabet stands for, -1 for others.
func cryptValue(c byte) int { return strings.IndexByte(cryptAlphabet, c) }

// parseArgon2: a PHC string, $argon2id$v=19$m=65536,t=3,p=1$salt$hash.
func parseArgon2(s *secret, data string) (verify, error) {
	part := strings.Split(data, "$")
	want := map[string]string{"ARGON2I": "argon2i", "ARGON2ID": "argon2id"}[s.scheme]
	if len(part) != 6 || want != "" && part[1] != want || !strings.HasPrefix(part[1], "argon2") {
		return nil, fmt.Errorf("%s needs $argon2…$v=19$m=…,t=…,p=…$<salt>$<hash>", s.scheme)
	}
	var m, t, p uint32
	if n, err := fmt.Sscanf(part[3], "m=%d,t=%d,p=%d", &m, &t, &p); n != 3 || err != nil {
		return nil, errors.New("argon2 needs m=…,t=…,p=…")
	}
	if uint64(m)<<10 > maxHashMemory || m < 8*p || t < 1 || t > 1000 || p < 1 || p > 255 {
		return nil, errors.New("argon2 parameters are out of range")
	}
	s.kind = kindOf("ARGON2", data)
	return parseModular(data)
}

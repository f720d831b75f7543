package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-crypt/crypt/algorithm"
	"github.com/go-crypt/crypt/algorithm/argon2"
	"github.com/go-crypt/crypt/algorithm/bcrypt"
	"github.com/go-crypt/crypt/algorithm/shacrypt"
)

// DefaultScheme is what `roost user` writes.
const DefaultScheme = "ARGON2ID"

// hashers make new stored passwords, all of a form that Dovecot 2.3 and 2.4 read as well: its argon2 knows only p=1.
var hashers = map[string]func(password string) (string, error){
	"ARGON2ID": func(password string) (string, error) {
		h, err := argon2.New(argon2.WithVariant(argon2.VariantID), argon2.WithM(64<<10), argon2.WithT(3), argon2.WithP(1))
		return encoded(h, err, password)
	},
	"BLF-CRYPT": func(password string) (string, error) {
		if len(password) > bcryptLength {
			return "", fmt.Errorf("BLF-CRYPT ignores what follows the first %d octets of a password; choose a shorter one or another scheme", bcryptLength)
		}
		h, err := bcrypt.New(bcrypt.WithVariant(bcrypt.VariantStandard), bcrypt.WithCost(11))
		return encoded(h, err, password)
	},
	"SHA512-CRYPT": func(password string) (string, error) {
		h, err := shacrypt.New(shacrypt.WithVariant(shacrypt.VariantSHA512), shacrypt.WithRounds(100_000))
		return encoded(h, err, password)
	},
	"SHA256-CRYPT": func(password string) (string, error) {
		h, err := shacrypt.New(shacrypt.WithVariant(shacrypt.VariantSHA256), shacrypt.WithRounds(100_000))
		return encoded(h, err, password)
	},
	"SCRAM-SHA-256": func(password string) (string, error) {
		salt := make([]byte, 16)
		rand.Read(salt)
		k := deriveSCRAM(sha256.New, prepare(password), salt, 15_000)
		b64 := base64.StdEncoding.EncodeToString
		return fmt.Sprintf("%d,%s,%s,%s", k.iterations, b64(k.salt), b64(k.storedKey), b64(k.serverKey)), nil
	},
	"SSHA512": func(password string) (string, error) {
		salt := make([]byte, 16)
		rand.Read(salt)
		d := sha512.Sum512(append([]byte(password), salt...))
		return base64.StdEncoding.EncodeToString(append(d[:], salt...)), nil
	},
	"PLAIN": func(password string) (string, error) { return password, nil },
}

func encoded(h algorithm.Hash, err error, password string) (string, error) {
	if err != nil {
		return "", err
	}
	d, err := h.Hash(password)
	if err != nil {
		return "", err
	}
	return d.Encode(), nil
}

// Schemes lists the schemes Hash can make, the default first.
func Schemes() []string {
	names := []string{DefaultScheme}
	for name := range hashers {
		if name != DefaultScheme {
			names = append(names, name)
		}
	}
	slices.Sort(names[1:])
	return names
}

// Hash makes the password field of a passwd-file entry, "{SCHEME}data".
func Hash(scheme, password string) (string, error) {
	scheme = strings.ToUpper(scheme)
	make, ok := hashers[scheme]
	switch {
	case !ok:
		return "", fmt.Errorf("password scheme %q cannot be written; choose one of %s", scheme, strings.Join(Schemes(), ", "))
	case password == "":
		return "", errors.New("the password is empty")
	case len(password) > maxPassword:
		return "", fmt.Errorf("the password is longer than %d octets", maxPassword)
	case strings.ContainsAny(password, "\x00\r\n"):
		return "", errors.New("the password contains a line end or NUL")
	case scheme == "PLAIN" && strings.Contains(password, ":"):
		return "", errors.New("a password with a colon cannot be stored as PLAIN; choose another scheme")
	}
	data, err := make(password)
	return "{" + scheme + "}" + data, err
}

// emptySecret is a secret of the default scheme that no password matches in time: its hash is random.
func emptySecret() *secret {
	var r [48]byte
	rand.Read(r[:])
	b64 := base64.RawStdEncoding.EncodeToString
	s, err := parseSecret("{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$"+b64(r[:16])+"$"+b64(r[16:]), "")
	if err != nil {
		panic(err)
	}
	return s
}

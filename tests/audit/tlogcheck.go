// tlogcheck reads a C2SP tlog-tiles log over HTTP with Go's own golang.org/x/mod/sumdb/{note,tlog} and checks all of it:
// the signed checkpoint against the entries, every tile, and random proofs. Usage: TOKEN=… tlogcheck URL LOG
//
// Built by tests/audit/test_with_go.py from the module source that every Go distribution carries; no network is needed.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

var base, log, token string

func die(err error) {
	if err != nil {
		fmt.Println("FAULT:", err)
		os.Exit(1)
	}
}

func get(path string) []byte {
	req, err := http.NewRequest("GET", base+path, nil)
	die(err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	req.Header.Set("Gridtrail-Purpose", "independent check with Go")
	res, err := http.DefaultClient.Do(req)
	die(err)
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	die(err)
	if res.StatusCode != 200 {
		die(fmt.Errorf("GET %s: %s %s", path, res.Status, data))
	}
	return data
}

func number(n int64) string {
	s := fmt.Sprintf("%03d", n%1000)
	for n >= 1000 {
		n /= 1000
		s = fmt.Sprintf("x%03d/%s", n%1000, s)
	}
	return s
}

func name(n, width int64) string {
	if width == 256 {
		return number(n)
	}
	return fmt.Sprintf("%s.p/%d", number(n), width)
}

type hashes []tlog.Hash

func (h hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		out[i] = h[x]
	}
	return out, nil
}

func lines64(lines []string) (out []tlog.Hash) {
	for _, l := range lines {
		b, err := base64.StdEncoding.DecodeString(l)
		die(err)
		var h tlog.Hash
		copy(h[:], b)
		out = append(out, h)
	}
	return
}

func open(text []byte, v note.Verifier) tlog.Tree {
	n, err := note.Open(text, note.VerifierList(v))
	die(err)
	f := strings.Split(n.Text, "\n")
	if f[0] != v.Name() {
		die(fmt.Errorf("origin %s is not the key's name %s", f[0], v.Name()))
	}
	size, err := strconv.ParseInt(f[1], 10, 64)
	die(err)
	return tlog.Tree{N: size, Hash: lines64(f[2:3])[0]}
}

func main() {
	base, log = os.Args[1], os.Args[2]
	token = os.Getenv("TOKEN")
	began := time.Now()
	v, err := note.NewVerifier(strings.TrimSpace(string(get("/log/" + log + "/vkey"))))
	die(err)
	tree := open(get("/log/"+log+"/checkpoint"), v)
	fmt.Printf("checkpoint of %s: %d entries, root %s, signed by %s\n", v.Name(), tree.N, base64.StdEncoding.EncodeToString(tree.Hash[:]), v.Name())
	var stored hashes
	var entries [][]byte
	bundles := 0
	for n := int64(0); n*256 < tree.N; n++ {
		width := min(256, tree.N-n*256)
		b := get("/log/" + log + "/tile/entries/" + name(n, width))
		bundles++
		count := int64(0)
		for len(b) > 0 {
			l := int(binary.BigEndian.Uint16(b))
			entry := b[2 : 2+l]
			b = b[2+l:]
			count++
			hs, err := tlog.StoredHashes(int64(len(entries)), entry, stored)
			die(err)
			stored = append(stored, hs...)
			entries = append(entries, entry)
		}
		if count != width {
			die(fmt.Errorf("bundle %d holds %d entries, not %d", n, count, width))
		}
	}
	root, err := tlog.TreeHash(tree.N, stored)
	die(err)
	if root != tree.Hash {
		die(fmt.Errorf("the root of the entries is not the checkpoint's"))
	}
	fmt.Printf("%d bundles: the root of all %d entries is the checkpoint's\n", bundles, len(entries))
	tiles, full := 0, 0
	for level, count := 0, tree.N; count > 0; level, count = level+1, count/256 {
		for n := int64(0); n*256 < count; n++ {
			width := min(256, count-n*256)
			want, err := tlog.ReadTileData(tlog.Tile{H: 8, L: level, N: n, W: int(width)}, stored)
			die(err)
			if !bytes.Equal(want, get(fmt.Sprintf("/log/%s/tile/%d/%s", log, level, name(n, width)))) {
				die(fmt.Errorf("tile %d/%d is not that of the entries", level, n))
			}
			tiles++
			if width == 256 {
				full++
			}
		}
	}
	fmt.Printf("%d tiles (%d full) are byte for byte those that Go makes\n", tiles, full)
	r, inclusions, growths := rand.New(rand.NewSource(1)), 0, 0
	rounds := 500
	if tree.N < 500 {
		rounds = int(tree.N)
	}
	for i := 0; i < rounds; i++ {
		index := r.Int63n(tree.N)
		p := string(get(fmt.Sprintf("/v1/ledgers/%s/events/%d/proof", log, index)))
		head, cp, _ := strings.Cut(p, "\n\n")
		f := strings.Split(head, "\n")
		if f[0] != "c2sp.org/tlog-proof@v1" || f[1] != fmt.Sprintf("index %d", index) {
			die(fmt.Errorf("not a tlog-proof: %q", f[:2]))
		}
		t := open([]byte(cp), v)
		die(tlog.CheckRecord(lines64(f[2:]), t.N, t.Hash, index, tlog.RecordHash(entries[index])))
		inclusions++
		old := 1 + r.Int63n(tree.N)
		oldRoot, err := tlog.TreeHash(old, stored)
		die(err)
		c := string(get(fmt.Sprintf("/v1/ledgers/%s/consistency?from=%d&to=%d", log, old, tree.N)))
		head, _, _ = strings.Cut(c, "\n\n")
		f = strings.Split(strings.TrimSuffix(head, "\n"), "\n")
		die(tlog.CheckTree(lines64(f[3:]), tree.N, tree.Hash, old, oldRoot))
		growths++
	}
	fmt.Printf("%d inclusion and %d consistency proofs hold by tlog.CheckRecord and tlog.CheckTree\n", inclusions, growths)
	fmt.Printf("ok, in %.1f s\n", time.Since(began).Seconds())
}

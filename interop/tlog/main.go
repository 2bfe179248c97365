// Follows a relay's log of orders with an independent implementation of its formats
// (filippo.io/torchwood, golang.org/x/mod/sumdb): main URL KEY. Prints every entry
// that it verified, and the checkpoint's size.
package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
)

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	// The relay's certificate is its own: whoever asks here checks signatures, not TLS.
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	fetcher, err := torchwood.NewTileFetcher(os.Args[1], torchwood.WithHTTPClient(&http.Client{Transport: transport}))
	fail(err)
	client, err := torchwood.NewClient(fetcher)
	fail(err)
	signed, err := fetcher.ReadEndpoint(context.Background(), "checkpoint")
	fail(err)
	log, err := note.NewVerifier(os.Args[2])
	fail(err)
	opened, err := note.Open(signed, note.VerifierList(log))
	fail(err)
	checkpoint, err := torchwood.ParseCheckpoint(opened.Text)
	fail(err)
	if checkpoint.Origin != log.Name() {
		fail(fmt.Errorf("the checkpoint is of %s", checkpoint.Origin))
	}
	count := int64(0)
	for count < checkpoint.N {
		before := count
		for index, entry := range client.Entries(context.Background(), checkpoint.Tree, count) {
			fmt.Printf("%d %q\n", index, entry)
			count = index + 1
		}
		fail(client.Err())
		if count == before {
			fail(fmt.Errorf("no entry %d", count))
		}
	}
	fmt.Printf("verified %d\n", count)
}

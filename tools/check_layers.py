"""Fails when an #include points the wrong way (the layers of docs/ARCHITECTURE.md)."""
import pathlib
import re
import sys

MAY_INCLUDE = {
    "base": {"base"},
    "codec": {"base", "codec"},
    "crypto": {"base", "codec", "crypto"},
    "tlog": {"base", "tlog"},
    "mls": {"base", "codec", "crypto", "mls"},
    "x509": {"base", "mls", "x509"},
    "wire": {"base", "codec", "wire"},
    "relay": {"base", "codec", "tlog", "wire", "relay"},  # never mls, never core; of crypto, see EXCEPT
    # The office: of the relay only its settings and what it hands over to it, see EXCEPT; never its store.
    "order": {"base", "tlog", "wire", "order"},
    "audit": {"base", "tlog", "audit"},
    "core": {"base", "codec", "crypto", "mls", "tlog", "wire", "core"},
    "preview": {"base", "codec", "core", "preview"},
    "keyring": {"base", "core", "keyring"},
    "rpc": {"base", "core", "rpc"},
    "cli": {"base", "codec", "wire", "core", "keyring", "rpc", "cli"},
}
# sotto/<noun>.h belongs to a layer too.
PUBLIC = {"api": "base", "error": "base", "bytes": "base", "env": "base", "mls": "mls",
          "mls_provider": "crypto", "mls_x509": "x509", "sotto": "core",
          "account": "core", "contact": "core", "conversation": "core", "file": "core", "group": "core", "keeping": "core",
          "label": "core", "message": "core", "network": "core", "problem": "core", "profile": "core"}
# What of src/mls another layer may not reach: only the public header is for them.
ONLY_PUBLIC = {("x509", "mls"), ("core", "mls"), ("cli", "mls")}
# The one header of src/crypto that the relay may use: the blind evaluation of tokens.
EXCEPT = {("relay", "crypto/voprf.h"), ("order", "relay/config.h"), ("order", "relay/files.h"),
          ("order", "relay/withdrawal.h")}
# Over a crypto provider of the embedder's own: these need no library.
WITHOUT_LIBRARIES = ("src/codec/", "src/crypto/", "src/mls/")
MAY_USE_LIBRARIES = ("src/crypto/default/", "src/crypto/voprf.c")
LIBRARY = re.compile(r"^\s*#\s*include\s+<((openssl|nettle)/|sodium)")
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    bad = 0
    for path in sorted((root / "src").rglob("*.[ch]")):
        layer = path.relative_to(root / "src").parts[0]
        if layer not in MAY_INCLUDE:
            print(f"{path.relative_to(root)}: src/{layer} has no place in the layers")
            bad += 1
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            name = path.relative_to(root).as_posix()
            if (LIBRARY.match(line) and name.startswith(WITHOUT_LIBRARIES)
                    and not name.startswith(MAY_USE_LIBRARIES)):
                print(f"{name}:{number}: a file above the crypto provider may use no library")
                bad += 1
            match = INCLUDE.match(line)
            if not match:
                continue
            first, _, rest = match.group(1).partition("/")
            public = first == "sotto"
            target = PUBLIC.get(rest.removesuffix(".h")) if public else first
            wrong = target not in MAY_INCLUDE[layer] or ((layer, target) in ONLY_PUBLIC and not public)
            if wrong and (layer, match.group(1)) not in EXCEPT:
                print(f"{path.relative_to(root)}:{number}: src/{layer} may not include {match.group(1)}")
                bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

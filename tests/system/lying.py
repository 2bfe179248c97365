"""A world whose relay lies, for tests."""
import os
import signal

from fake_relay import Threaded
from world import World


class Lying(World):
    """A world whose relay is in this process. Its certificate is one that sottod made."""

    def start_relay(self):
        super().start_relay()
        pin = self.address.split("#")[1]
        self.stop_relay(signal.SIGTERM)
        data = os.path.join(self.directory, "relay")
        pems = [os.path.join(where, name) for where, _, names in os.walk(data) for name in names
                if name.endswith(".pem")]
        key = [p for p in pems if "PRIVATE KEY" in open(p).read()][0]
        certificate = [p for p in pems if "BEGIN CERTIFICATE" in open(p).read()][0]
        self.fake = Threaded(certificate, key)
        self.address = "127.0.0.1:%d#%s" % (self.fake.port, pin)

    def __exit__(self, *reason):
        self.fake.stop()
        super().__exit__(*reason)

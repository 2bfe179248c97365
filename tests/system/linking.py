"""Several devices of one account, for tests."""
import json
import os

from world import Person


class Device(Person):
    """Another device of a person."""

    def __init__(self, world, name, number):
        super().__init__(world, name)
        self.profile = os.path.join(world.directory, "profile-%s-%d" % (name, number))


def begin(device, *more):
    """Starts `sotto link`; gives the process and the link."""
    process = device.start("link", "--relay", device.world.address, *more)
    line = process.stdout.readline()
    assert line, process.stderr.read()
    return process, json.loads(line)["link"]


def link(old, number=2, *more, name=None):
    """Links another device of that person, which is called `name` or "Device N"; more: options of `device add`."""
    new = Device(old.world, old.name, number)
    process, text = begin(new, "--device", name or "Device %d" % number)
    old.ok("device", "add", text, *more)
    done = new.finish(process)
    assert done.code == 0, done
    return new

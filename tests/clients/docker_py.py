"""A day of docker-py's user. Arguments: the busybox root file system as a tar file."""

import io
import sys
import tarfile
import threading

import docker
from docker.errors import APIError, ContainerError, ImageNotFound, NotFound

ROOT = sys.argv[1]
LOOP = "trap 'exit 0' TERM; echo ready; while :; do sleep 0.1; done"
client = docker.from_env(timeout=120)


def raises(kind, function, *arguments, **named):
    try:
        function(*arguments, **named)
    except kind as error:
        return error
    raise AssertionError(f"{function} raised no {kind}")


def tar_of(name, text):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
    return buffer.getvalue()


def images():
    client.api.import_image_from_file(ROOT, repository="bb", tag="1")
    image = client.images.get("bb:1")
    assert image.tags == ["bb:1"], image.tags
    assert image.tag("bb", "latest")
    assert "bb:latest" in client.images.get(image.id).tags
    assert image.id in [i.id for i in client.images.list("bb")]
    assert image.history()
    raises(ImageNotFound, client.images.get, "nobody")


def runs():
    assert client.containers.run("bb", "echo hello", remove=True) == b"hello\n"
    both = client.containers.run("bb", ["sh", "-c", "echo out; echo err >&2"], remove=True, stderr=True)
    assert sorted(both.split()) == [b"err", b"out"], both
    failure = raises(ContainerError, client.containers.run, "bb", "sh -c 'exit 3'", remove=True)
    assert failure.exit_status == 3
    raises(APIError, client.containers.run, "nobody-has-this.invalid/x", "true")
    raises(APIError, client.containers.run, "bb", "/nope", name="never", remove=True)
    client.containers.get("never").remove()
    limits = client.containers.run(
        "bb",
        "sh -c 'cat /sys/fs/cgroup/pids/pids.max 2>/dev/null || cat /sys/fs/cgroup/pids.max; id -u; pwd; echo $A'",
        remove=True, pids_limit=20, mem_limit="64m", nano_cpus=500_000_000, user="1000", working_dir="/tmp",
        environment={"A": "b"}, hostname="named", cap_drop=["ALL"], read_only=True, tmpfs={"/t": "size=1m"},
        security_opt=["no-new-privileges"], init=True, shm_size="8m",
    )
    assert limits.split() == [b"20", b"1000", b"/tmp", b"b"], limits


def lives():
    container = client.containers.create(
        "bb", ["sh", "-c", LOOP], name="life", labels={"a": "b"}, restart_policy={"Name": "no"},
        ports={"80/tcp": ("127.0.0.1", None)},
    )
    assert container.status == "created"
    container.start()
    first = next(container.logs(stream=True, follow=True))
    assert first.strip() == b"ready", first
    container.reload()
    assert container.status == "running" and container.labels == {"a": "b"}
    assert container.ports["80/tcp"][0]["HostIp"] == "127.0.0.1", container.ports
    assert int(container.ports["80/tcp"][0]["HostPort"]) > 0
    assert [c.name for c in client.containers.list(filters={"label": "a=b"})] == ["life"]
    assert client.containers.get(container.short_id).id == container.id
    container.rename("renamed")
    container.pause()
    container.reload()
    assert container.status == "paused"
    container.unpause()
    container.update(mem_limit="128m", memswap_limit="256m")
    assert any("sleep" in " ".join(p) or "sh" in " ".join(p) for p in container.top()["Processes"])
    container.restart(timeout=5)
    container.reload()
    assert container.status == "running"
    lines = container.logs(stream=True, follow=True)
    assert [next(lines).strip(), next(lines).strip()] == [b"ready", b"ready"]
    container.stop(timeout=5)
    assert container.wait()["StatusCode"] == 0
    container.start()
    container.kill()
    assert container.wait(timeout=20)["StatusCode"] == 137
    assert raises(APIError, container.kill).status_code == 409
    container.remove()
    raises(NotFound, client.containers.get, "renamed")


def execs(container):
    assert tuple(container.exec_run("echo hi")) == (0, b"hi\n")
    assert container.exec_run("sh -c 'exit 4'").exit_code == 4
    code, (out, err) = container.exec_run(["sh", "-c", "echo out; echo err >&2"], demux=True)
    assert (code, out, err) == (0, b"out\n", b"err\n")
    _, stream = container.exec_run("seq 1 3", stream=True)
    assert b"".join(stream) == b"1\n2\n3\n"
    made = client.api.exec_create(container.id, "cat", stdin=True)["Id"]
    socket = client.api.exec_start(made, socket=True)
    raw = getattr(socket, "_sock", socket)
    raw.sendall(b"through a socket\n")
    raw.shutdown(1)
    got = b""
    while piece := raw.recv(4096):
        got += piece
    assert got.endswith(b"through a socket\n") and got[0] == 1, got
    assert client.api.exec_inspect(made)["ExitCode"] == 0
    tty = container.exec_run("sh -c 'test -t 1 && stty size'", tty=True)
    assert tty.exit_code == 0, tty


def attaches():
    container = client.containers.create("bb", "cat", stdin_open=True)
    socket = container.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
    container.start()
    raw = getattr(socket, "_sock", socket)
    raw.sendall(b"attached\n")
    head = raw.recv(8)
    assert head[0] == 1 and raw.recv(int.from_bytes(head[4:], "big")) == b"attached\n"
    raw.close()
    container.kill()
    container.wait()
    assert container.logs() == b"attached\n"
    container.remove()
    container = client.containers.run("bb", "sh -c 'echo one; echo two'", detach=True)
    container.wait()
    assert container.attach(logs=True, stream=False) == b"one\ntwo\n"
    assert container.logs(tail=1) == b"two\n"
    assert b"Z one" in container.logs(timestamps=True)
    container.remove()


def archives(container):
    assert container.put_archive("/tmp", tar_of("file", b"put"))
    assert container.exec_run("cat /tmp/file").output == b"put"
    pieces, stat = container.get_archive("/tmp/file")
    assert stat["name"] == "file" and stat["size"] == 3
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
        assert archive.extractfile("file").read() == b"put"
    raises(NotFound, container.get_archive, "/nope")
    assert {"Path": "/tmp/file", "Kind": 1} in container.diff()


def numbers(container):
    once = container.stats(stream=False)
    assert once["memory_stats"]["usage"] > 0 and once["pids_stats"]["current"] > 0
    stream = container.stats(stream=True, decode=True)
    assert next(stream)["id"] == container.id
    stream.close()


def events():
    stream = client.events(decode=True, filters={"type": "container", "label": "told=yes"})
    seen = []

    def listen():
        for event in stream:
            seen.append(event["Action"])
            if event["Action"] == "destroy":
                return

    thread = threading.Thread(target=listen)
    thread.start()
    client.containers.run("bb", "true", labels={"told": "yes"}, remove=True)
    thread.join(30)
    assert not thread.is_alive(), seen
    assert seen == ["create", "start", "die", "destroy"], seen


def volumes():
    volume = client.volumes.create("data", labels={"a": "b"})
    assert volume.name in [v.name for v in client.volumes.list()]
    mounts = {"data": {"bind": "/data", "mode": "rw"}}
    client.containers.run("bb", "sh -c 'echo kept >/data/file'", volumes=mounts, remove=True)
    assert client.containers.run("bb", "cat /data/file", volumes=mounts, remove=True) == b"kept\n"
    mount = docker.types.Mount("/data", "data", read_only=True)
    failure = raises(ContainerError, client.containers.run, "bb", "touch /data/x", mounts=[mount], remove=True)
    assert b"Read-only" in failure.stderr, failure.stderr
    user = client.containers.create("bb", "true", volumes=mounts)
    assert raises(APIError, volume.remove).status_code == 409
    user.remove()
    volume.remove()
    raises(NotFound, client.volumes.get, "data")


def prunes():
    """Only what is ours: it may be somebody's engine."""
    done = client.containers.run("bb", "true", detach=True, labels={"prune": "me"})
    done.wait()
    assert client.containers.prune(filters={"label": "prune=me"})["ContainersDeleted"] == [done.id]
    client.volumes.create("unused", labels={"prune": "me"})
    pruned = client.volumes.prune(filters={"all": True, "label": "prune=me"})
    assert pruned["VolumesDeleted"] == ["unused"], pruned
    assert not client.images.prune(filters={"label": "prune=me"})["ImagesDeleted"]


def main():
    assert client.ping()
    assert client.version()["ApiVersion"]
    assert client.info()["OSType"] == "linux"
    images()
    runs()
    lives()
    container = client.containers.run("bb", ["sh", "-c", LOOP], detach=True, name="long")
    execs(container)
    archives(container)
    numbers(container)
    container.remove(force=True)
    attaches()
    events()
    volumes()
    prunes()
    client.images.remove("bb:1")
    client.images.remove("bb:latest")


main()

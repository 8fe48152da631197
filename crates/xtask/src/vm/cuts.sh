# Between two power cuts: checks what the last one has left, then keeps the engine busy until the next.
set -u
fail() {
  echo "FAILED: $*"
  journalctl -b -u sampan.service --no-pager | tail -n 40
  exit 1
}
if ! command -v sampan >/dev/null; then
  /share/sampan system install || fail install
  mkdir -p /tmp/root/bin
  cp /bin/busybox /tmp/root/bin/
  for applet in sh echo true sleep; do ln -s busybox /tmp/root/bin/$applet; done
  tar -C /tmp/root -c . | sampan import - bb >/dev/null || fail import
  sync
else
  sampan inspect answered >/dev/null || fail "a container whose making was answered before the cut is gone"
fi
sampan images | grep -q '^bb ' || fail "the image is gone"
sampan ps -a || fail ps
for container in $(sampan ps -aq); do
  sampan inspect "$container" >/dev/null || fail "inspect $container"
  sampan logs "$container" >/dev/null || fail "logs $container"
  sampan rm -f "$container" >/dev/null || fail "rm $container"
done
[ "$(sampan run --rm bb echo well)" = well ] || fail "run"
[ -z "$(ls /var/lib/sampan/containers)" ] || fail "containers that nobody knows: $(ls /var/lib/sampan/containers)"
journalctl -b -u sampan.service --no-pager | grep 'set aside' && fail "a record was damaged"
sampan create --name answered bb true >/dev/null || fail create
printf '\035'
while :; do
  sampan run -d --name a bb sh -c 'while :; do echo line; sleep 0.1; done' >/dev/null
  sampan run --rm bb true
  sampan create --name b bb true >/dev/null
  sampan rm -f a b >/dev/null
done

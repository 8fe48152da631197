# The smoke test: on a machine that has never seen Sampan, as root. Each check prints a line; the first that fails ends it.
set -u
bridge=sampan0

fail() {
  echo "FAILED: $*"
  journalctl -b -u sampan.service --no-pager | tail -n 40
  systemctl --no-pager status sampan.service sampan.socket sampan-containers.service | tail -n 40
  exit 1
}
# check WHAT COMMAND... : the command succeeds
check() {
  what=$1; shift
  "$@" || fail "$what ($*)"
  echo "ok: $what"
}
# equal WHAT EXPECTED ACTUAL
equal() {
  [ "$2" = "$3" ] || fail "$1: expected '$2', got '$3'"
  echo "ok: $1"
}
# await WHAT COMMAND... : it succeeds within a minute
await() {
  what=$1; shift
  for _ in $(seq 300); do
    if "$@"; then echo "ok: $what"; return; fi
    sleep 0.2
  done
  fail "$what ($*)"
}
daemon() { systemctl show -p MainPID --value sampan.service; }
no() { ! "$@"; }
mounts() { grep -c . /proc/self/mountinfo; }

echo "== $(uname -r), $(systemctl --version | head -n 1)"
# Another machine, as far as the network can tell.
ip netns add outside
before=$(mounts)
root=/tmp/root
mkdir -p $root/bin $root/proc $root/sys $root/dev $root/etc $root/tmp
cp /bin/busybox $root/bin/
for applet in sh cat echo sleep true nc id hostname ls wc seq touch test; do ln -s busybox $root/bin/$applet; done
echo 'root:x:0:0:root:/root:/bin/sh' >$root/etc/passwd

echo "== install"
check "system install" /share/sampan system install
check "the programs are on the path" command -v sampan
check "the socket's unit is active" systemctl is-active --quiet sampan.socket
check "the containers' unit is active" systemctl is-active --quiet sampan-containers.service
check "images" sampan images
tar -C $root -c . | sampan import - bb >/dev/null || fail import

echo "== run"
sampan run --rm hello || fail "run hello"
equal "exit code" 7 "$(sampan run --rm bb sh -c 'exit 7'; echo $?)"
equal "streams" "in and out" "$(echo in and out | sampan run --rm -i bb cat)"
equal "memory limit" 67108864 "$(sampan run --rm -m 64m bb cat /sys/fs/cgroup/memory.max)"
equal "pids limit" 20 "$(sampan run --rm --pids-limit 20 bb cat /sys/fs/cgroup/pids.max)"
equal "cpu limit" "50000 100000" "$(sampan run --rm --cpus 0.5 bb cat /sys/fs/cgroup/cpu.max)"
equal "out of memory" 137 "$(sampan run --rm -m 16m bb sh -c 'x=0123456789abcdef; while :; do x=$x$x; done'; echo $?)"
equal "no devices" 1 "$(sampan run --rm bb sh -c 'cat /dev/vda' 2>/dev/null; echo $?)"

echo "== a service"
check "run -d" sampan run -d --name web -p 8080:80 bb nc -ll -p 80 -e echo from inside
equal "exec" "root" "$(sampan exec web id -un)"
ip link add out0 type veth peer name in0 netns outside
ip addr add 192.0.2.1/24 dev out0
ip link set out0 up
ip -n outside addr add 192.0.2.2/24 dev in0
ip -n outside link set in0 up
web() { timeout 5 busybox nc "$@" </dev/null; }
await "the published port, from here" sh -c '[ "$(timeout 5 busybox nc 127.0.0.1 8080 </dev/null)" = "from inside" ]'
equal "the published port, from outside" "from inside" "$(ip netns exec outside timeout 5 busybox nc 192.0.2.1 8080 </dev/null)"
ip netns exec outside timeout 60 busybox nc -l -p 9000 -e cat & listener=$!
await "the container reaches the outside" sh -c '[ "$(sampan exec web sh -c "echo hi | nc -w 5 192.0.2.2 9000")" = hi ]'
kill $listener 2>/dev/null
check "the container is below its unit" grep -q sampan-containers.service /proc/"$(sampan inspect web | sed -n 's/.*"Pid": \([0-9]*\).*/\1/p' | head -n 1)"/cgroup

echo "== five kills"
mkfifo /tmp/in
sampan exec -i web cat </tmp/in >/tmp/out & client=$!
exec 4>/tmp/in
echo before >&4
await "the client is served" grep -q before /tmp/out
for kill in 1 2 3 4 5; do
  pid=$(daemon)
  check "there is a daemon to kill" [ "$pid" -gt 0 ]
  kill -9 "$pid"
  equal "an answer after kill $kill" web "$(sampan ps --format '{{.Names}}' 2>/dev/null || sampan ps | sed -n 's/.* \(web\)$/\1/p')"
  equal "the published port after kill $kill" "from inside" "$(web 127.0.0.1 8080)"
  echo "line $kill" >&4
  await "the client is served after kill $kill" grep -q "line $kill" /tmp/out
done
exec 4>&-
wait $client
equal "the client's exit code" 0 $?

echo "== systemd"
systemctl daemon-reload
equal "exec after daemon-reload" here "$(sampan exec web echo here)"
check "limits after daemon-reload" sampan run --rm -m 64m bb true
systemctl daemon-reexec
equal "exec after daemon-reexec" here "$(sampan exec web echo here)"
pid=$(daemon)
check "restart" systemctl restart sampan.service
check "it is another daemon" [ "$pid" != "$(daemon)" ]
equal "exec after restart" here "$(sampan exec web echo here)"
equal "the published port after restart" "from inside" "$(web 127.0.0.1 8080)"
systemctl stop sampan.service
equal "the published port without a daemon" "from inside" "$(web 127.0.0.1 8080)"
equal "the socket starts it" here "$(sampan exec web echo here)"

echo "== docker's client"
if [ -x /share/docker ]; then
  equal "docker exec" here "$(DOCKER_HOST=unix:///run/sampan.sock /share/docker exec web echo here)"
  equal "docker run" 3 "$(DOCKER_HOST=unix:///run/sampan.sock /share/docker run --rm bb sh -c 'exit 3'; echo $?)"
fi

echo "== nothing is left"
check "rm -f" sampan rm -f web
await "the links are gone" sh -c '! ip -o link | grep -q " sv"'
await "the monitors are gone" no pgrep -f "sampan-runtime [m]onitor"
equal "no mount stays" "$before" "$(mounts)"
check "system uninstall" sampan system uninstall
hash -r
check "the program is gone" no command -v sampan
check "the units are gone" no systemctl cat sampan.service sampan.socket sampan-containers.service
check "no daemon runs" no pgrep -x sampan
check "no table stays" sh -c '! nft list tables | grep -q sampan'
check "no bridge stays" no ip link show $bridge
check "nothing has failed" systemctl is-system-running --quiet
echo "all is well"

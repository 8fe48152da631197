#!/bin/busybox sh
# Process 1 of the first file system: finds the disk labelled `root` and gives it over to systemd, /run as Debian has it.
b=/bin/busybox
$b mount -t devtmpfs dev /dev
for m in /modules/*; do $b insmod "$m" 2>/dev/null; done
until disk=$($b findfs LABEL=root 2>/dev/null); do $b sleep 0.1; done
$b mount -t ext4 -o noinit_itable "$disk" /root
$b mount -o move /dev /root/dev
$b mount -t tmpfs -o nosuid,nodev,noexec,size=10%,mode=755 run /root/run
exec $b switch_root /root /lib/systemd/systemd

# Runs in the image's root once its packages are there. $1 is its name.
set -e
echo "$1" >/etc/hostname
printf '127.0.0.1 localhost %s\n::1 localhost\n' "$1" >/etc/hosts
echo 'LABEL=root / ext4 errors=remount-ro 0 1' >/etc/fstab
echo 'nameserver 10.0.2.3' >/etc/resolv.conf
printf '[Match]\nName=eth0\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\n' >/etc/systemd/network/50-eth0.network
systemctl enable -q systemd-networkd agent
systemctl mask -q serial-getty@ttyS0 serial-getty@ttyS1 getty@tty1 systemd-networkd-wait-online
systemctl disable -q apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer dpkg-db-backup.timer || :
systemctl disable -q e2scrub_reap || :
systemctl disable -q docker.service docker.socket containerd.service ufw.service nftables.service || :
rm -rf /boot/initrd* /var/cache/apt/*.bin /var/lib/apt/lists/* /usr/share/doc /usr/share/locale /usr/share/man

echo boot $(uname -r); systemctl is-system-running; ls -l /share; cat /sys/fs/cgroup/cgroup.controllers; mount | grep ' / '; ip a; exit 0

#!/bin/sh
# Run by packages when a new version is in place: the running daemon is restarted, with its routes, if the new version
# accepts the configuration. If it does not, the old process runs on, and the errors are printed and in the journal of
# the unit. Does nothing where no arpherd runs under systemd. Ends with 0 in any case but a failed restart: an error of
# the configuration is no error of the package.
set -u
unit=arpherd.service
[ -d /run/systemd/system ] && systemctl --quiet is-active $unit || exit 0
get() { systemctl show --property "$1" --value $unit; }

# Told apart from a mask, a link to /dev/null. Whose file it is decides what a restart does, say to the routes.
if [ "$(get FragmentPath)" = /etc/systemd/system/$unit ]; then
    echo "arpherd: the running daemon is left alone, for /etc/systemd/system/$unit is not the package's;" >&2
    echo "arpherd: to run the new version: systemctl restart arpherd" >&2
    exit 0
fi

# The file or folder that the daemon was started with, also by a drop-in.
config=$(get ExecStart | sed -nE 's/.*argv\[\]=[^;]* (-c|--config)[ =]([^ ;]+) .*/\2/p')
[ -n "$config" ] || config=/etc/arpherd
# As the unit's user and with its variables, as the daemon would read it.
user=$(get User)
if ! errors=$(systemd-run --quiet --wait --pipe --collect --property User="${user:-root}" \
    --property EnvironmentFile=-/etc/default/arpherd /usr/bin/arpherd check "$config" 2>&1 >/dev/null </dev/null); then
    text="the new version refuses the configuration, so the old one runs on: correct it, then: systemctl restart arpherd"
    printf '%s\n' "$errors" "$text" | sed 's/^/arpherd: /' >&2
    # OBJECT_PID has journalctl --unit arpherd show it.
    printf '%s\n' "$errors" "$text" | while IFS= read -r line; do
        printf 'MESSAGE=%s\nPRIORITY=3\nSYSLOG_IDENTIFIER=arpherd\nOBJECT_PID=%s\n' "$line" "$(get MainPID)" |
            logger --journald
    done
    exit 0
fi
# With a policy of the administrator against restarts (policy-rc.d) where Debian has one.
if command -v deb-systemd-invoke >/dev/null; then
    deb-systemd-invoke try-restart $unit
else
    systemctl try-restart $unit
fi

#!/bin/sh
# Remove what site.yml put on this host, by its own records; safe to repeat. Prints what it does and what it leaves.
set -u
records=/var/lib/recio/deploy/packages
ours() { [ -e "$records" ] && grep -qx -- "$1" "$records"; }
say() { echo "$*"; }
export DEBIAN_FRONTEND=noninteractive LC_ALL=C

say "services"
# What begins something by itself goes first: nothing of ours may start while the rest is removed.
rm -f /etc/cron.d/recio-backup /etc/cron.d/recio-model
systemctl disable --now recio-off-host.path recio-off-host.timer >/dev/null 2>&1
systemctl stop 'recio-*.path' 'recio-*.timer' >/dev/null 2>&1
systemctl disable --now recio.target >/dev/null 2>&1
systemctl stop 'recio-*.service' >/dev/null 2>&1
systemctl disable --now recio-firewall.service >/dev/null 2>&1
systemctl disable --now recio-quotas.service >/dev/null 2>&1
# Our limits alone: the file system may hold somebody else's quotas too.
for project in $(sed -n 's/^setquota -P \([0-9]*\) .*/\1/p' /usr/local/lib/recio/quotas.sh 2>/dev/null); do
    setquota -P "$project" 0 0 0 0 "$(findmnt --noheadings --output TARGET --target /var/lib/recio)" 2>/dev/null
done
systemctl stop 'recio*.slice' >/dev/null 2>&1
# cron's jobs and people's commands at work: interrupted they take their own things away, a throw-away cluster too.
jobs='^/opt/recio/|pgbackrest .*--config=/etc/pgbackrest.conf|/var/tmp/recio-restore-test-'
at_work() { pgrep --full "$jobs" >/dev/null; }
if at_work; then
    say "commands at work: $(pgrep --full --list-full "$jobs" | sed 's/^[^ ]* [^ ]* //' | tr '\n' ';')"
    pkill --signal INT --full "$jobs"
    for _ in $(seq 30); do at_work || break; sleep 1; done
    pkill --signal KILL --full "$jobs"
fi
nft delete table inet recio 2>/dev/null
# The kernel's rules outlive the package that loaded them.
if ours auditd; then auditctl -D >/dev/null 2>&1; auditctl -e 0 >/dev/null 2>&1; fi

# Only the cluster this product made: its package came with it and the marker names it.
if [ -e /etc/recio/postgresql-cluster ]; then
    cluster=$(cat /etc/recio/postgresql-cluster)
    if ours "postgresql-${cluster%/*}"; then
        say "database cluster $cluster"
        pg_dropcluster --stop "${cluster%/*}" "${cluster#*/}" 2>/dev/null
    else
        say "database rec_io_db and its roles (the cluster $cluster was here before and stays)"
        for role in $(runuser -u postgres -- psql -Atc "SELECT rolname FROM pg_roles r JOIN pg_database d ON d.datname = 'rec_io_db'
            WHERE has_database_privilege(r.rolname, 'rec_io_db', 'CONNECT') AND NOT rolsuper AND rolname !~ '^pg_'"); do
            roles="${roles-} $role"
        done
        runuser -u postgres -- dropdb --force --if-exists rec_io_db
        for role in ${roles-}; do runuser -u postgres -- dropuser --if-exists "$role"; done
        rm -f "/etc/postgresql/$cluster/conf.d/recio.conf"
        say "left: pg_hba.conf and pg_ident.conf of $cluster are this product's; put your own back"
    fi
fi

users=$(awk '$1 == "u" {print $2}' /etc/sysusers.d/recio.conf 2>/dev/null)
say "files"
rm -rf /etc/systemd/system/recio.target /etc/systemd/system/recio-*.service /etc/systemd/system/recio-*.service.d /etc/systemd/system/recio-*.slice \
    /etc/systemd/system/recio-*.path /etc/systemd/system/recio-*.timer \
    /etc/systemd/system/postgresql@.service.d/recio.conf /etc/systemd/system/caddy.service.d/recio.conf \
    /etc/sysusers.d/recio.conf /etc/tmpfiles.d/recio.conf /etc/security/limits.d/90-recio.conf /etc/sysctl.d/90-recio.conf \
    /etc/systemd/journald.conf.d/90-recio.conf /etc/logrotate.d/recio /etc/ssh/sshd_config.d/40-recio.conf /etc/modprobe.d/recio.conf \
    /etc/audit/rules.d/40-recio.rules /etc/systemd/system/auditd.service.d/recio.conf /etc/systemd/system/audit-rules.service.d/recio.conf \
    /etc/apt/apt.conf.d/52recio /etc/needrestart/conf.d/recio.conf /etc/postgresql-common/createcluster.d/recio.conf \
    /etc/pgbackrest.conf /usr/local/bin/recio /usr/local/lib/recio /opt/recio /run/recio /run/recio-manifest.lock /var/backups/recio \
    /var/tmp/recio-restore-test-*
for folder in /etc/systemd/system/auditd.service.d /etc/systemd/system/audit-rules.service.d /etc/systemd/system/postgresql@.service.d /etc/systemd/system/caddy.service.d /etc/systemd/journald.conf.d \
    /etc/needrestart/conf.d /etc/needrestart /etc/sysusers.d /etc/modprobe.d; do
    rmdir "$folder" 2>/dev/null
done
ours auditd || augenrules --load >/dev/null 2>&1

if [ -e /etc/caddy/Caddyfile ] && ! ours caddy; then say "left: /etc/caddy/Caddyfile is this product's; put your own back"; fi
if [ -s "$records" ]; then
    # What another package, installed since, needs must stay: remove nothing that would take others along.
    packages=$(tr '\n' ' ' <"$records")
    others=$(apt-get --simulate purge $packages 2>/dev/null | awk '$1 == "Purg" || $1 == "Remv" {print $2}' | grep -vxFf "$records" | tr '\n' ' ')
    if [ -n "$others" ]; then
        say "left: the packages this product brought, because these need them: $others"
    else
        say "packages: $(wc -l <"$records")"
        # Its package does not stop it, so that it would outlive its own files.
        if ours unattended-upgrades; then systemctl stop unattended-upgrades.service >/dev/null 2>&1; fi
        # shellcheck disable=SC2086 # one word each
        apt-get -qq -y -o DPkg::Lock::Timeout=300 purge $packages >/dev/null || { echo "apt-get purge failed; run this again" >&2; exit 1; }
        # Debian leaves a purged package's users and groups behind.
        for pair in postgresql-common:postgres caddy:caddy systemd-timesyncd:systemd-timesync cron:crontab ssl-cert:ssl-cert; do
            if ours "${pair%:*}"; then userdel "${pair#*:}" 2>/dev/null; groupdel "${pair#*:}" 2>/dev/null; fi
        done
        while read -r package; do rm -f "/var/cache/apt/archives/${package}_"*.deb; done <"$records"
        # In root's home an earlier release's check of the configuration left an authority that nobody trusts.
        if ours caddy; then rm -rf /var/lib/caddy /etc/caddy /var/log/caddy /root/.local/share/caddy /root/.config/caddy; fi
        rmdir /root/.local/share /root/.local /root/.config /root/.step 2>/dev/null
        if ours postgresql-common; then
            systemctl stop system-postgresql.slice >/dev/null 2>&1
            rm -rf /var/lib/postgresql /etc/postgresql /etc/postgresql-common /var/log/postgresql
        fi
    fi
fi

# The root file system's line as it was, from the copy the first deploy made; what a person wrote into fstab since stays.
root_line() { awk '$1 !~ /^#/ && $2 == "/" {print; exit}' "$1"; }
copies='/etc/fstab.[0-9]*.[0-9]*-*-*@*:*:*~' # as Ansible names them
# shellcheck disable=SC2086 # a pattern
first=$(ls -tr $copies 2>/dev/null | head -n 1)
if [ -n "$first" ]; then
    was=$(root_line "$first") now=$(root_line /etc/fstab)
    case "$now" in *noatime*)
        if [ -n "$was" ] && [ "${was%%[[:space:]]*}" = "${now%%[[:space:]]*}" ]; then
            say "fstab: the root file system's line as it was"
            LINE=$was awk '!done && $1 !~ /^#/ && $2 == "/" {print ENVIRON["LINE"]; done = 1; next} {print}' /etc/fstab >/etc/fstab.recio-uninstall
            if findmnt --verify --tab-file /etc/fstab.recio-uninstall >/dev/null 2>&1; then
                chmod 644 /etc/fstab.recio-uninstall && mv /etc/fstab.recio-uninstall /etc/fstab
                case "$was" in *noatime*) ;; *) mount -o remount,relatime / 2>/dev/null ;; esac
            else
                rm -f /etc/fstab.recio-uninstall
                say "left: noatime in /etc/fstab, since the line of $first is not one the host could boot with"
            fi
        fi
        ;;
    esac
    for copy in $copies; do cmp -s "$copy" /etc/fstab && rm -f "$copy"; done
fi

say "users: $(echo $users | wc -w)"
for user in $users; do userdel "$user" 2>/dev/null; groupdel "$user" 2>/dev/null; done
groupdel recio 2>/dev/null
rm -rf /etc/recio /var/lib/recio /var/cache/recio-earlier-packages
systemctl daemon-reload
systemctl reset-failed 'recio-*' 'postgresql*' 'caddy*' 'auditd*' >/dev/null 2>&1
systemctl restart systemd-journald.service
systemctl try-reload-or-restart ssh.service
say "left: kernel settings in force, until the next boot"
exit 0

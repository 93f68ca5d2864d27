if ! getent passwd noetl >/dev/null; then
    useradd --system --user-group --home-dir /var/lib/noetl --no-create-home \
        --shell /usr/sbin/nologin --comment "NoETL server" noetl
fi
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || true
    # Starts nothing that does not run: the service stays off until it is enabled.
    systemctl try-restart noetl.service || true
fi

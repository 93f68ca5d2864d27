if [ -d /run/systemd/system ]; then
    systemctl disable --now noetl.service || true
fi

#!/usr/bin/env bash
# Runs everything systemd would run, in the foreground and below one folder: a private PostgreSQL, the workers, the job
# runner and nginx. `make run` calls it; Ctrl-C or SIGTERM stops it all. The data stays in VAR for the next run.
#   foreground.sh APP     APP: an installed tree (bin/, share/cloakroom/)
#   VAR=var PORT=8080     folder of all data, port on 127.0.0.1. Any setting of docs/configuration.md may be given too.
set -euo pipefail
app=$(realpath "${1:?folder of the installed programs}")
port=${PORT:-8080}
var=$(realpath -m "${VAR:-var}")
say() { printf '%s\n' "$*"; }
die() { printf 'make run: %s\n' "$*" >&2; exit 1; }

# PostgreSQL refuses to run as root, and no worker should: as root everything but nginx's master runs as www-data.
user=$(id -un)
as=()
if [ "$(id -u)" = 0 ]; then
  user=www-data
  as=(setpriv --reuid=www-data --regid=www-data --clear-groups --)
  mkdir -p "$var"
  if ! "${as[@]}" test -x "$var" || ! "${as[@]}" test -x "$app/bin/cloakroom"; then
    # a checkout below /root, say: www-data cannot come in
    var=/var/lib/cloakroom-run/$(printf %s "$var" | sha256sum | cut -c1-8)
    say "www-data may not enter this folder: everything lives in $var instead"
    mkdir -p "$var"
    rm -rf "$var/app"; cp -r "$app" "$var/app"; chmod -R a+rX "$var/app"; app=$var/app
  fi
  # root reads secrets and logs here, so nobody else may write here: www-data gets folders of its own inside
  [ -O "$var" ] || die "$var belongs to somebody else; choose another VAR="
  chmod 755 "$var"
fi
own() { install -d ${as:+-o "$user"} -m "$1" "${@:2}"; }   # folders of the unprivileged user
mkdir -p "$var"/{nginx,log}
exec 9> "$var/lock"
flock -n 9 || die "another 'make run' uses $var; stop it, or choose another VAR="
(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && die "port $port is in use; choose another: make run PORT=8081"

run=$(mktemp -d /tmp/cloakroom.XXXXXX)      # sockets: their paths must be short
chmod 755 "$run"
own 700 "$run/postgres" "$run/worker"
pg=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
[ -n "$pg" ] || die "PostgreSQL is not installed: run 'make deps'"

pids=(); nginx_pid=
stop() {
  trap - EXIT INT TERM HUP
  say "stopping"
  [ -z "$nginx_pid" ] || { kill -QUIT "$nginx_pid" 2>/dev/null || true; wait "$nginx_pid" 2>/dev/null || true; }
  for pid in "${pids[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  "${as[@]}" "$pg/pg_ctl" -D "$var/postgres" -m fast -w stop > /dev/null 2>&1 || true
  rm -rf "$run" "$var/demo.env" "$var/cloakroom"
}
trap 'stop; exit 0' INT TERM HUP
trap stop EXIT

# 1. PostgreSQL, reachable by its socket alone
if [ ! -s "$var/postgres/PG_VERSION" ]; then
  say "making a private PostgreSQL cluster"
  own 700 "$var/postgres"
  "${as[@]}" "$pg/initdb" -D "$var/postgres" -U cloakroom -A trust -E UTF8 --no-locale > "$var/log/initdb.log" 2>&1 ||
    { cat "$var/log/initdb.log" >&2; die "initdb failed"; }
fi
touch "$var/log/postgres.log"
[ ${#as[@]} = 0 ] || chown "$user" "$var/log/postgres.log"
"${as[@]}" "$pg/pg_ctl" -D "$var/postgres" -w -l "$var/log/postgres.log" \
  -o "-c listen_addresses='' -c unix_socket_directories='$run/postgres' -c unix_socket_permissions=0700" start > /dev/null 9>&- ||
  { tail -5 "$var/log/postgres.log" >&2; die "PostgreSQL did not start"; }

# 2. Settings: secrets are made once and kept; whatever the caller has set wins
for name in JWT_SECRET SERVICE_TOKEN LINK_SECRET; do
  grep -qs "^$name=" "$var/secrets.env" ||
    (umask 077; printf '%s=%s\n' $name "$(od -An -tx1 -N32 /dev/urandom | tr -d ' \n')" >> "$var/secrets.env")
done
while IFS='=' read -r name value; do
  case $name in JWT_SECRET|SERVICE_TOKEN|LINK_SECRET) [ -n "${!name:-}" ] || export "$name=$value" ;; esac
done < "$var/secrets.env"
export DATABASE_URL="postgresql:///postgres?host=$run/postgres&user=cloakroom"
export UPLOAD_STORAGE_PATH=${UPLOAD_STORAGE_PATH:-$var/files} FASTCGI_SOCKET=$run/worker/cloakroom.sock
export NGINX_CACHE_PATH=$var/nginx/cache NGINX_ERROR_LOG=$var/log/nginx-error.log INSTANCE=${INSTANCE:-default}
if [ -n "${S3_ENDPOINT:-}" ]; then
  export STORAGE=${STORAGE:-s3} S3_BUCKET=${S3_BUCKET:-cloakroom}
fi
"${as[@]}" "$app/bin/cloakroom-fcgi" --check-config > /dev/null
"${as[@]}" "$app/bin/cloakroom" migrate > /dev/null

# 3. The maker of pictures, which gets no secret; the workers, on a socket of ours; the job runner. Logs are those of this run
: > "$var/log/image.log"; : > "$var/log/worker.log"; : > "$var/log/jobs.log"
if [ -z "${IMAGE_SOCKET:-}" ]; then
  export IMAGE_SOCKET=$run/worker/image.sock
  image_settings=()
  for name in $(compgen -e IMAGE_) SANDBOX LOG_LEVEL; do
    [ -z "${!name:-}" ] || image_settings+=("$name=${!name}")
  done
  "${as[@]}" env -i "${image_settings[@]}" "$app/bin/cloakroom-image" --socket "$IMAGE_SOCKET" 2>> "$var/log/image.log" 9>&- & pids+=($!)
fi
own 700 "$UPLOAD_STORAGE_PATH"
"${as[@]}" "$app/bin/cloakroom-fcgi" --socket "$FASTCGI_SOCKET" 2>> "$var/log/worker.log" 9>&- & pids+=($!)
worker=$!
"${as[@]}" "$app/bin/cloakroom" jobs 2>> "$var/log/jobs.log" 9>&- & pids+=($!)
for _ in $(seq 100); do
  [ -S "$FASTCGI_SOCKET" ] && break
  kill -0 "$worker" 2>/dev/null || { cat "$var/log/worker.log" >&2; die "the worker did not start"; }
  sleep 0.05
done

# 4. nginx, with the includes a sysadmin would use
"$app/bin/cloakroom" config --nginx "$var/nginx" > /dev/null
own 700 "$var"/nginx/{cache,body,proxy,fastcgi}
{
  [ ${#as[@]} = 0 ] || echo "user $user;"
  cat <<C
daemon off;
worker_processes auto;
worker_rlimit_nofile 8192;
pid $var/nginx/nginx.pid;
error_log $var/log/nginx-error.log warn;
events { worker_connections 4096; }
http {
  include /etc/nginx/mime.types;
  access_log off;
  client_body_temp_path $var/nginx/body;
  proxy_temp_path $var/nginx/proxy;
  fastcgi_temp_path $var/nginx/fastcgi;
  uwsgi_temp_path $var/nginx/body; scgi_temp_path $var/nginx/body;
  keepalive_requests 100000;
  include $var/nginx/$INSTANCE-http.conf;
  server {
    listen 127.0.0.1:$port backlog=4096;
    include $var/nginx/$INSTANCE-server.conf;
    location / { return 404; }
  }
}
C
} > "$var/nginx/nginx.conf"
/usr/sbin/nginx -p "$var/nginx/" -e "$var/log/nginx-error.log" -c "$var/nginx/nginx.conf" 9>&- &
nginx_pid=$!
url=http://127.0.0.1:$port
for _ in $(seq 100); do
  curl -fsS -o /dev/null "$url/readyz" 2>/dev/null && break
  kill -0 "$nginx_pid" 2>/dev/null || { tail -5 "$var/log/nginx-error.log" >&2; die "nginx did not start"; }
  sleep 0.1
done
curl -fsS -o /dev/null "$url/readyz" || { tail -3 "$var/log/worker.log" >&2; die "the service is not ready"; }

# 5. What to paste
alice=$("$app/bin/cloakroom" token alice --ttl 604800)
bob=$("$app/bin/cloakroom" token bob --ttl 604800)
(umask 077; printf 'BASE_URL=%s\nALICE_TOKEN=%s\nBOB_TOKEN=%s\nSERVICE_TOKEN=%s\nPID=%s\n' "$url" "$alice" "$bob" "$SERVICE_TOKEN" $$ > "$var/demo.env.new")
mv "$var/demo.env.new" "$var/demo.env"
# the tool with these settings, for the caller alone, as the user that the workers are
(
  umask 077
  {
    printf '#!/usr/bin/env bash\n# the tool on what `make run` has started; it goes when that stops\n'
    for name in $("$app/bin/cloakroom" config | sed -n 's/^\([A-Z0-9_]*\)=.*/\1/p'); do
      for given in "$name" "${name}_FILE"; do [ -z "${!given:-}" ] || printf 'export %s=%q\n' "$given" "${!given}"; done
    done
    printf 'exec'
    printf ' %q' "${as[@]}" "$app/bin/cloakroom"
    printf ' "$@"\n'
  } > "$var/cloakroom.new"
  chmod 700 "$var/cloakroom.new"
)
mv "$var/cloakroom.new" "$var/cloakroom"
sample=$PWD/README.md
[ -r "$sample" ] || sample=$0
cat <<T

cloakroom is running at $url   (files: ${STORAGE:-local}, data in $var)

Paste this to store a file:

  TOKEN=$alice
  curl -sS -H "Authorization: Bearer \$TOKEN" -F file=@$sample $url/api/upload | tee ticket.json

and this to fetch it again:

  curl -sS -H "Authorization: Bearer \$TOKEN" "$url\$(sed 's/.*"url":"\([^"]*\)".*/\1/' ticket.json)" -o copy

The tool is $var/cloakroom (try: $var/cloakroom check --url $url), tokens for scripts are in $var/demo.env, logs in $var/log. Ctrl-C stops everything; the data stays.
T
# ends when a part dies by itself (then all stop) or a signal comes
set +e
wait -n "${pids[@]}" "$nginx_pid"
die "a process ended by itself; see $var/log"

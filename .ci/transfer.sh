#!/usr/bin/env bash
# A file through a relay on loopback, by the command as people run it: .ci/transfer.sh PLEACH [MIB]. What arrives must be
# what was sent, as it is and (an eighth of it) compressed. Needs twice the file's size in TMPDIR; leaves nothing behind.
set -euo pipefail
pleach=$1
mebibytes=${2:-1024}

folder=$(mktemp -d)
relay=
cleanup() {
  status=$?
  trap - EXIT
  [ -z "$relay" ] || kill "$relay" 2>/dev/null || true
  [ $status -eq 0 ] || cat "$folder"/*.log >&2 || true
  rm -rf "$folder"
  exit $status
}
trap cleanup EXIT
mkdir "$folder/in"
(umask 077 && head -c 24 /dev/urandom | base64 >"$folder/password")

# The lines that tell where it listens come from a pipe: nobody has to guess when it is ready.
mkfifo "$folder/ports"
"$pleach" relay --listen 127.0.0.1:0 --secure-port 0 --json >"$folder/ports" 2>"$folder/relay.log" &
relay=$!
exec 3<"$folder/ports"
port() {
  local line
  while read -r line <&3; do
    case $line in *'"port":"'"$1"'"'*)
      sed 's/.*"address":"[^"]*:\([0-9]*\)".*/\1/' <<<"$line"
      return
      ;;
    esac
  done
  return 1
}
handshake=$(port handshake)
secure=$(port secure)
# What else it says is not needed, but must go somewhere.
cat <&3 >"$folder/events.log" &

common=(--relay "127.0.0.1:$handshake" --secure-port "$secure" --password-file "$folder/password" --timeout 60s)
for form in stored compressed; do
  # Base64 shrinks to three quarters; what is random is sent as it is.
  case $form in
  stored) head -c "${mebibytes}M" /dev/urandom >"$folder/file" ;;
  compressed) head -c "$((mebibytes * 96))K" /dev/urandom | base64 -w 0 >"$folder/file" ;;
  esac
  sum=$(sha256sum <"$folder/file")
  size=$(stat -c %s "$folder/file")
  start=$(date +%s%N)
  timeout 600 "$pleach" send "$folder/file" "${common[@]}" 2>"$folder/send.log" &
  sender=$!
  timeout 600 "$pleach" recv --yes --no-input --output "$folder/in/" "${common[@]}" >"$folder/recv.log" 2>&1
  wait "$sender"
  milliseconds=$((($(date +%s%N) - start) / 1000000))
  [ "$(sha256sum <"$folder/in/file")" = "$sum" ]
  [ "$(ls -A "$folder/in")" = file ]
  rm "$folder/in/file"
  echo "$size bytes $form: identical, $milliseconds ms"
done
kill "$relay"
wait "$relay"
relay=

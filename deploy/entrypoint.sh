#!/bin/sh
# Settings from files: SIMSTREAM_SECRET_FILE=/run/secrets/simstream sets SIMSTREAM_SECRET to what that file holds, and so
# for every setting. Then the command takes this process's place, so that it gets the signals.
set -eu

for name in $(env | sed -n 's/^\(SIMSTREAM_[A-Z_]*\)_FILE=.*/\1/p'); do
  eval "file=\${${name}_FILE} given=\${${name}:-}"
  if [ -z "$file" ]; then
    unset "${name}_FILE"
    continue
  fi
  if [ -n "$given" ]; then
    echo "${name} and ${name}_FILE are both set; set one of them" >&2
    exit 2
  fi
  if [ ! -r "$file" ]; then
    echo "${name}_FILE: $file is not a file that user $(id -u) can read" >&2
    exit 2
  fi
  export "$name=$(cat "$file")"
  unset "${name}_FILE"
done

exec "$@"

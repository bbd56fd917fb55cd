# Runs a command in a file system of its own, as a container has it: what is mounted here, at the paths that its arguments and its
# configuration name, no other process sees. Needs a mount namespace (unshare --mount). The command keeps this process id.
#
# own-root.sh ROOT [SOURCE PATH ro|rw]... -- COMMAND...    SOURCE: a file, a folder, or tmpfs:BYTES; ROOT: an empty folder
set -eu
root=$1
shift
mount --make-rprivate /
mount -t tmpfs root "$root"
# Copied, not bound: mount points can be made there. Owners are not kept: in a user namespace most cannot be given.
cp -RP /etc "$root/etc" 2>/dev/null || true
for entry in /*; do
  case $entry in /etc | /dev) continue ;; esac
  if [ -L "$entry" ]; then
    cp -P "$entry" "$root$entry"
  elif [ -d "$entry" ] && [ -r "$entry" ]; then
    mkdir "$root$entry"
    mount --rbind "$entry" "$root$entry"
  fi
done
mkdir -p "$root/dev/shm"
for device in null zero full random urandom; do
  : >"$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
while [ "$1" != -- ]; do
  target=$root$2
  if [ -f "$1" ]; then
    : >"$target"
    mount --bind "$1" "$target"
  else
    mkdir -p "$target"
    case $1 in
      tmpfs:*) mount -t tmpfs -o "size=${1#tmpfs:}" volume "$target" ;;
      *) mount --bind "$1" "$target" ;;
    esac
  fi
  [ "$3" = rw ] || mount -o remount,bind,ro "$target"
  shift 3
done
shift
exec chroot "$root" "$@"

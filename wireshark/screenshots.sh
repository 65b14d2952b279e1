#!/bin/sh
# Takes the pictures of README.md from the real program, on a display of its own.
#
#   wireshark/screenshots.sh [JSTRACE]      JSTRACE: .venv/bin/jstrace
#
# Needs (Debian): wireshark xvfb openbox xdotool imagemagick.  Wireshark runs with a home folder of its own, so nothing
# of the user's settings shows or changes.
set -eu
cd "$(dirname "$0")/.."
jstrace=${1:-.venv/bin/jstrace}
home=$(mktemp -d)
display=:77
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$home"' EXIT
export HOME="$home" XDG_CONFIG_HOME="$home/.config" XDG_RUNTIME_DIR="$home" QT_QPA_PLATFORM=xcb
"$jstrace" lua --install >/dev/null
# All parts of a packet are shown in one column below the list; no questions on closing.
mkdir -p "$home/.config/wireshark"
cat >>"$home/.config/wireshark/profiles/jobscheduler/preferences" <<END
gui.ask_unsaved: FALSE
gui.layout_type: 1
gui.layout_content_3: NONE
gui.update.enabled: FALSE
gui.geometry.save.position: FALSE
END

Xvfb "$display" -screen 0 1280x800x24 >/dev/null 2>&1 &
sleep 1
export DISPLAY="$display"
openbox >/dev/null 2>&1 &
sleep 1

# shot NAME CAPTURE PACKET [KEYS...]: opens, selects the packet, sends the keys, and takes the whole display.
shot() {
    name=$1 capture=$2 packet=$3
    shift 3
    wireshark -C jobscheduler -r "$capture" -g "$packet" >/dev/null 2>"$home/messages" &
    program=$!
    sleep 10 # the splash screen's window goes, the capture is read
    window=$(xdotool search --onlyvisible --name "$(basename "$capture")" | head -1)
    xdotool windowsize "$window" 1280 775 windowmove "$window" 0 0 windowfocus "$window"
    sleep 3
    for step in "$@"; do
        case $step in
        type:*) xdotool type --delay 20 "${step#type:}" ;;
        resize:*) xdotool getactivewindow windowsize ${step#resize:} ;;
        click:*) xdotool mousemove $(echo "${step#click:}" | tr , ' ') click 1 ;;
        *) xdotool key "$step" ;;
        esac
        sleep 1
    done
    import -window root +dither -colors 32 -strip -define png:compression-level=9 "png8:wireshark/$name.png"
    kill "$program"
    wait "$program" 2>/dev/null || true
    if grep -i 'lua' "$home/messages"; then exit 1; fi
}

shot conversation captures/engine_shell_fail.pcap 35 click:200,513 shift+Right
shot task-list captures/engine_shell_fail.pcap 39 alt+t Down Down Right Return
shot statistics captures/engine_order.pcap 96 alt+s Down Down Down Down Down Down Down Down Down Return
shot callback-dropped captures/faults/02_callback_drop.r.pcap 22 click:200,513 shift+Right

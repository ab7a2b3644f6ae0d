"""ping.py TARGET COUNT: pings the target each millisecond, and prints how many pings were lost."""
import os, socket, struct, sys, time
target, count = sys.argv[1], int(sys.argv[2])
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
s.setblocking(False)
def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff
seen, mark = set(), os.getpid() & 0xffff
def read():
    while True:
        try:
            packet = s.recv(2048)
        except BlockingIOError:
            return
        kind, _, _, ident, number = struct.unpack("!BBHHH", packet[20:28])
        if kind == 0 and ident == mark:
            seen.add(number)
def wait(end):
    while time.monotonic() < end:
        read()
        time.sleep(0.0002)
start = time.monotonic()
for number in range(count):
    head = struct.pack("!BBHHH", 8, 0, 0, mark, number) + b"arpherd!"
    s.sendto(head[:2] + struct.pack("!H", checksum(head)) + head[4:], (target, 0))
    wait(start + (number + 1) / 1000)
wait(time.monotonic() + 1)
print(count - len(seen))

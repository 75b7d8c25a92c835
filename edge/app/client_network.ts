/**
 * Whose request it is, as far as an address says so.
 */

/**
 * The network that limits go by: an IPv4 address, or the first 64 bits of an IPv6 address, as anyone who has one of these
 * has all of its network (RFC 4291, 2.5.4).
 *
 * @param address as text
 * @returns another text, the same for addresses of one client
 */
export function clientNetwork(address: string): string {
  const mapped = address.match(/^::ffff:(\d+\.\d+\.\d+\.\d+)$/i);
  if (mapped) return mapped[1];
  if (!address.includes(":")) return address;
  const [head, tail = ""] = address.toLowerCase().split("::");
  const before = head.split(":").filter((group) => group !== "");
  const after = tail.split(":").filter((group) => group !== "");
  const zeros = Math.max(0, 8 - before.length - after.length);
  const groups = [...before, ...Array<string>(zeros).fill("0"), ...after];
  return `${groups.slice(0, 4).map((group) => group.replace(/^0+(?=.)/, "")).join(":")}::/64`;
}

/**
 * The address that the nearest proxy saw: the last of `X-Forwarded-For`. Those before it are what the caller says.
 *
 * @param headers of a request that came through a proxy
 * @returns without a port, or `undefined` when there is none
 */
export function forwardedAddress(headers: Headers): string | undefined {
  const last = headers.get("X-Forwarded-For")?.split(",").at(-1)?.trim();
  if (!last) return undefined;
  return last.match(/^\[(.*)\](?::\d+)?$/)?.[1] ?? last.replace(/^([\d.]+):\d+$/, "$1");
}

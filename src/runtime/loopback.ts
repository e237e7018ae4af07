import { BlockList, isIPv6 } from 'node:net';

const addresses = new BlockList();
addresses.addSubnet('127.0.0.0', 8);
addresses.addAddress('::1', 'ipv6');

/** Whether an address is of this machine alone; IPv4 may be mapped to IPv6. */
export const isLoopback = (address: string): boolean => addresses.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');

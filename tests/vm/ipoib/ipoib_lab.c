// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * ipoib_lab: links that the network stack cannot tell from IP over InfiniBand, on a fabric of memory.
 *
 *   ip link add ib0 [address FLAGS:QPN:GID] type ipoib [pkey 0x8001]
 *   ip link add link ib0 name ib0.8002 type ipoib pkey 0x8002
 *
 * Links of equal partition keys hear each other, whatever network namespace they are in. What holds here holds
 * for ib_ipoib: 20-octet addresses (RFC 4391), the pseudo header of 24 octets, no source address in received
 * frames, a unicast only arrives where both GID and queue pair number are right, a broadcast goes to the
 * partition's group, 2044 octets in datagram and 65520 in connected mode, and nothing can be stacked on a link
 * that counts on Ethernet. Multicast groups other than the broadcast group are not carried.
 *
 * What happens to a fabric by itself is done by hand, in /sys/class/net/LINK/fabric:
 *
 *   qpn            written: the link gets this queue pair number, as after a reload of a driver
 *   prefix         written: its GID gets this subnet prefix, as from a new subnet manager
 *   lose           written: so many unicasts to each station are lost before its path is known
 *   nowhere        read: frames that had no destination address; ib_ipoib would have crashed
 *   unreached      read: unicasts for a GID and queue pair that no link has
 */
#include <linux/etherdevice.h>
#include <linux/if_arp.h>
#include <linux/if_infiniband.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/random.h>
#include <net/rtnetlink.h>

#define ALEN INFINIBAND_ALEN
#define HEADER (ALEN + 4)	/* pseudo header, protocol, two zero octets */
#define FULL_MEMBER 0x8000
#define DATAGRAM_MTU 2044
#define CONNECTED_MTU 65520
#define STATIONS 64

/* A link's place on the fabric. */
struct seat {
	struct list_head seats;
	struct net_device *dev;
	int parent;			/* interface index, 0 without one */
	u16 pkey;
	u16 connected;
	unsigned int lose;
	struct station {
		u8 to[ALEN - 1];
		unsigned int tried;
	} stations[STATIONS];
	unsigned int known;
	atomic_t nowhere;
	atomic_t unreached;
};

/* Changed under RTNL, walked under RCU. */
static LIST_HEAD(fabric);
static u32 fresh_qpn = 0x000101;

static bool is_group(const u8 *address)
{
	return address[4] == 0xff;
}

static bool same_partition(const struct seat *a, const struct seat *b)
{
	return ((a->pkey ^ b->pkey) & ~FULL_MEMBER) == 0 && ((a->pkey | b->pkey) & FULL_MEMBER);
}

static int write_header(struct sk_buff *skb, struct net_device *dev, unsigned short protocol,
			const void *to, const void *from, unsigned int length)
{
	struct seat *me = netdev_priv(dev);
	__be16 *tail;

	if (!to) {
		atomic_inc(&me->nowhere);
		return -EINVAL;
	}
	memcpy(skb_push(skb, HEADER), to, ALEN);
	tail = (__be16 *)(skb->data + ALEN);
	tail[0] = htons(protocol);
	tail[1] = 0;
	return HEADER;
}

static const struct header_ops headers = { .create = write_header };

/* Whether the path to a station still has to be found, and the frame is the price. */
static bool path_unknown(struct seat *me, const u8 *to)
{
	unsigned int i;

	for (i = 0; i < me->known; i++)
		if (!memcmp(me->stations[i].to, to + 1, ALEN - 1))
			break;
	if (i == me->known) {
		if (i == STATIONS)
			return false;
		memcpy(me->stations[i].to, to + 1, ALEN - 1);
		me->stations[i].tried = 0;
		me->known++;
	}
	if (me->stations[i].tried >= me->lose)
		return false;
	me->stations[i].tried++;
	return true;
}

static void deliver(const struct sk_buff *sent, struct net_device *dev, bool broadcast)
{
	struct sk_buff *skb = skb_copy(sent, GFP_ATOMIC);

	if (!skb) {
		dev->stats.rx_dropped++;
		return;
	}
	skb_orphan(skb);
	skb_scrub_packet(skb, true);
	skb->dev = dev;
	skb->protocol = *(__be16 *)(skb->data + ALEN);
	skb->pkt_type = broadcast ? PACKET_BROADCAST : PACKET_HOST;
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	memset(skb->data, 0, ALEN);
	skb_reset_mac_header(skb);
	skb_pull(skb, HEADER);
	skb_reset_network_header(skb);
	dev->stats.rx_packets++;
	dev->stats.rx_bytes += skb->len;
	netif_rx(skb);
}

static bool carried(__be16 protocol)
{
	return protocol == htons(ETH_P_IP) || protocol == htons(ETH_P_IPV6) ||
	       protocol == htons(ETH_P_ARP) || protocol == htons(ETH_P_RARP);
}

static netdev_tx_t transmit(struct sk_buff *skb, struct net_device *dev)
{
	struct seat *me = netdev_priv(dev), *other;
	bool group, reached = false;
	u8 to[ALEN];

	if (!pskb_may_pull(skb, HEADER) || !carried(*(__be16 *)(skb->data + ALEN)))
		goto drop;
	memcpy(to, skb->data, ALEN);
	group = is_group(to);
	/* The driver knows its partition better than whoever built the address. */
	if (group)
		memcpy(to + 8, dev->broadcast + 8, 2);
	if (group ? memcmp(to + 4, dev->broadcast + 4, ALEN - 4) : path_unknown(me, to))
		goto drop;
	rcu_read_lock();
	list_for_each_entry_rcu(other, &fabric, seats) {
		if (other == me || !same_partition(me, other) || !netif_running(other->dev))
			continue;
		if (!group && memcmp(to + 1, other->dev->dev_addr + 1, ALEN - 1))
			continue;
		deliver(skb, other->dev, group);
		reached = true;
	}
	rcu_read_unlock();
	if (!group && !reached)
		atomic_inc(&me->unreached);
	dev->stats.tx_packets++;
	dev->stats.tx_bytes += skb->len - HEADER;
	consume_skb(skb);
	return NETDEV_TX_OK;
drop:
	dev->stats.tx_dropped++;
	kfree_skb(skb);
	return NETDEV_TX_OK;
}

static int start(struct net_device *dev)
{
	netif_carrier_on(dev);
	netif_start_queue(dev);
	return 0;
}

static int stop(struct net_device *dev)
{
	netif_stop_queue(dev);
	netif_carrier_off(dev);
	return 0;
}

/* Only the last 8 octets, the port's GUID, are the administrator's, and only while the link is down. */
static int set_address(struct net_device *dev, void *wanted)
{
	const u8 *address = ((struct sockaddr_storage *)wanted)->__data;

	if (netif_running(dev))
		return -EBUSY;
	if (memcmp(address, dev->dev_addr, 12) || !memchr_inv(address + 12, 0, 8))
		return -EINVAL;
	dev_addr_mod(dev, 12, address + 12, 8);
	return 0;
}

static int set_mtu(struct net_device *dev, int mtu)
{
	struct seat *me = netdev_priv(dev);

	if (mtu > (me->connected ? CONNECTED_MTU : DATAGRAM_MTU))
		return -EINVAL;
	dev->mtu = mtu;
	return 0;
}

static int parent_of(const struct net_device *dev)
{
	const struct seat *me = netdev_priv(dev);

	return me->parent ?: dev->ifindex;
}

static const struct net_device_ops operations = {
	.ndo_open = start,
	.ndo_stop = stop,
	.ndo_start_xmit = transmit,
	.ndo_set_mac_address = set_address,
	.ndo_change_mtu = set_mtu,
	.ndo_get_iflink = parent_of,
};

/* What is done to the fabric by hand. */

static ssize_t change_address(struct device *device, const char *text, size_t count, unsigned int at,
			      unsigned int octets)
{
	struct net_device *dev = to_net_dev(device);
	u8 bytes[8];
	u64 number;
	int error = kstrtou64(text, 0, &number);

	if (error)
		return error;
	if (!rtnl_trylock())
		return restart_syscall();
	put_unaligned_be64(number, bytes);
	dev_addr_mod(dev, at, bytes + 8 - octets, octets);
	call_netdevice_notifiers(NETDEV_CHANGEADDR, dev);
	rtnl_unlock();
	return count;
}

static ssize_t qpn_store(struct device *device, struct device_attribute *attribute, const char *text,
			 size_t count)
{
	return change_address(device, text, count, 1, 3);
}
static DEVICE_ATTR_WO(qpn);

static ssize_t prefix_store(struct device *device, struct device_attribute *attribute, const char *text,
			    size_t count)
{
	return change_address(device, text, count, 4, 8);
}
static DEVICE_ATTR_WO(prefix);

static ssize_t lose_store(struct device *device, struct device_attribute *attribute, const char *text,
			  size_t count)
{
	struct net_device *dev = to_net_dev(device);
	struct seat *me = netdev_priv(dev);
	unsigned int number;
	int error = kstrtouint(text, 0, &number);

	if (error)
		return error;
	netif_tx_lock_bh(dev);
	me->known = 0;
	me->lose = number;
	netif_tx_unlock_bh(dev);
	return count;
}
static DEVICE_ATTR_WO(lose);

static ssize_t nowhere_show(struct device *device, struct device_attribute *attribute, char *text)
{
	struct seat *me = netdev_priv(to_net_dev(device));

	return sysfs_emit(text, "%d\n", atomic_read(&me->nowhere));
}
static DEVICE_ATTR_RO(nowhere);

static ssize_t unreached_show(struct device *device, struct device_attribute *attribute, char *text)
{
	struct seat *me = netdev_priv(to_net_dev(device));

	return sysfs_emit(text, "%d\n", atomic_read(&me->unreached));
}
static DEVICE_ATTR_RO(unreached);

static struct attribute *knobs[] = {
	&dev_attr_qpn.attr, &dev_attr_prefix.attr, &dev_attr_lose.attr,
	&dev_attr_nowhere.attr, &dev_attr_unreached.attr, NULL,
};
static const struct attribute_group knob_group = { .name = "fabric", .attrs = knobs };

/* Links made and removed. */

static void set_up(struct net_device *dev)
{
	static const u8 group[ALEN] = {
		0, 0xff, 0xff, 0xff, 0xff, 0x12, 0x40, 0x1b, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
	};

	dev->type = ARPHRD_INFINIBAND;
	dev->addr_len = ALEN;
	dev->hard_header_len = HEADER;
	dev->header_ops = &headers;
	dev->netdev_ops = &operations;
	dev->flags |= IFF_BROADCAST | IFF_MULTICAST;
	dev->features |= NETIF_F_VLAN_CHALLENGED;
	dev->tx_queue_len = 256;
	dev->mtu = DATAGRAM_MTU;
	dev->min_mtu = ETH_MIN_MTU;
	dev->max_mtu = CONNECTED_MTU;
	dev->needs_free_netdev = true;
	dev->sysfs_groups[0] = &knob_group;
	memcpy(dev->broadcast, group, ALEN);
	netif_carrier_off(dev);
}

static int set_options(struct net_device *dev, struct nlattr *data[])
{
	struct seat *me = netdev_priv(dev);

	if (data && data[IFLA_IPOIB_MODE])
		me->connected = nla_get_u16(data[IFLA_IPOIB_MODE]);
	return me->connected > 1 ? -EINVAL : 0;
}

static int change_link(struct net_device *dev, struct nlattr *tb[], struct nlattr *data[],
		       struct netlink_ext_ack *extack)
{
	if (data && data[IFLA_IPOIB_PKEY])
		return -EINVAL;
	return set_options(dev, data);
}

/* A child has its parent's port, that is its GID, and a queue pair of its own. */
static int take_address(struct net *net, struct net_device *dev, struct nlattr *tb[])
{
	struct seat *me = netdev_priv(dev);
	struct net_device *parent;
	u8 address[ALEN] = { 0x80 };

	put_unaligned_be32(0x80000000 | fresh_qpn++, address);
	if (tb[IFLA_LINK]) {
		parent = __dev_get_by_index(net, nla_get_u32(tb[IFLA_LINK]));
		if (!parent || parent->netdev_ops != &operations)
			return -ENODEV;
		me->parent = parent->ifindex;
		memcpy(address + 4, parent->dev_addr + 4, ALEN - 4);
	} else if (tb[IFLA_ADDRESS]) {
		if (nla_len(tb[IFLA_ADDRESS]) != ALEN)
			return -EINVAL;
		memcpy(address, nla_data(tb[IFLA_ADDRESS]), ALEN);
	} else {
		put_unaligned_be64(0xfe80000000000000ULL, address + 4);
		get_random_bytes(address + 12, 8);
		address[12] = 0x02;
	}
	dev_addr_mod(dev, 0, address, ALEN);
	return 0;
}

static int new_link(struct net *net, struct net_device *dev, struct nlattr *tb[], struct nlattr *data[],
		    struct netlink_ext_ack *extack)
{
	struct seat *me = netdev_priv(dev);
	int error;

	me->dev = dev;
	me->pkey = 0xffff;
	if (data && data[IFLA_IPOIB_PKEY])
		me->pkey = nla_get_u16(data[IFLA_IPOIB_PKEY]) | FULL_MEMBER;
	if (me->pkey == FULL_MEMBER)
		return -EINVAL;
	put_unaligned_be16(me->pkey, dev->broadcast + 8);
	error = take_address(net, dev, tb) ?: set_options(dev, data) ?: register_netdevice(dev);
	if (!error)
		list_add_tail_rcu(&me->seats, &fabric);
	return error;
}

static void remove_link(struct net_device *dev, struct list_head *gone)
{
	struct seat *me = netdev_priv(dev);

	list_del_rcu(&me->seats);
	unregister_netdevice_queue(dev, gone);	/* waits for those who walk the list */
}

static size_t options_size(const struct net_device *dev)
{
	return 3 * nla_total_size(sizeof(u16));
}

static int show_options(struct sk_buff *skb, const struct net_device *dev)
{
	const struct seat *me = netdev_priv(dev);

	if (nla_put_u16(skb, IFLA_IPOIB_PKEY, me->pkey) ||
	    nla_put_u16(skb, IFLA_IPOIB_MODE, me->connected) ||
	    nla_put_u16(skb, IFLA_IPOIB_UMCAST, 0))
		return -EMSGSIZE;
	return 0;
}

static const struct nla_policy options[IFLA_IPOIB_MAX + 1] = {
	[IFLA_IPOIB_PKEY] = { .type = NLA_U16 },
	[IFLA_IPOIB_MODE] = { .type = NLA_U16 },
	[IFLA_IPOIB_UMCAST] = { .type = NLA_U16 },
};

static struct rtnl_link_ops kind __read_mostly = {
	.kind = "ipoib",
	.priv_size = sizeof(struct seat),
	.setup = set_up,
	.maxtype = IFLA_IPOIB_MAX,
	.policy = options,
	.newlink = new_link,
	.changelink = change_link,
	.dellink = remove_link,
	.get_size = options_size,
	.fill_info = show_options,
};

static int __init begin(void)
{
	return rtnl_link_register(&kind);
}

static void __exit end(void)
{
	rtnl_link_unregister(&kind);
}

module_init(begin);
module_exit(end);
/* Of the licenses the kernel knows, the one that is ours. */
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("IPoIB links without InfiniBand, for tests");

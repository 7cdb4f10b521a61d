use super::*;

const MEGABYTE: usize = 1024 * 1024;

fn share(memory: &Arc<MessageMemory>, peer: &str) -> Share {
    Share::of(memory.clone(), Some(peer.parse().unwrap()))
}

#[test]
fn never_gives_more_than_there_is_and_takes_everything_back() {
    let memory = MessageMemory::reserving(10 * PIECE, 0);
    let (mut one, mut other) = (share(&memory, "192.0.2.1"), share(&memory, "192.0.2.1"));
    assert!(one.grow_to(6 * PIECE));
    assert!(!other.grow_to(5 * PIECE), "the same peer");
    assert!(other.grow_to(4 * PIECE));
    assert!(!one.grow_to(6 * PIECE + 1));
    assert_eq!(memory.free(), 0);
    one.release();
    assert_eq!(memory.free(), 6 * PIECE);
    drop((one, other));
    assert_eq!(memory.free(), 10 * PIECE);
    assert!(memory.lock().messages.is_empty() && memory.lock().by_peer.is_empty(), "who is gone is forgotten");
}

#[test]
fn what_is_used_counts_and_not_what_is_ready() {
    let memory = MessageMemory::new(64 * MEGABYTE);
    let mut one = share(&memory, "192.0.2.1");
    assert!(one.grow_to(100));
    assert_eq!(memory.free(), 64 * MEGABYTE - PIECE / 2);
    assert!(one.grow_to(8 * MEGABYTE + 1));
    assert_eq!(memory.free(), 56 * MEGABYTE - PIECE);
}

#[test]
fn large_messages_leave_a_part_for_small_ones() {
    let memory = MessageMemory::new(64 * MEGABYTE);
    let mut large: Vec<Share> = (1..=10).map(|_| share(&memory, "192.0.2.1")).collect();
    let held = large.iter_mut().filter_map(|one| one.grow_to(8 * MEGABYTE).then_some(8)).sum::<usize>();
    assert_eq!(held, 48);
    assert!(share(&memory, "192.0.2.1").grow_to(SMALL_MESSAGE), "the same peer's small messages go on");
}

#[test]
fn who_holds_the_most_gives_way_to_who_holds_less() {
    let memory = MessageMemory::reserving(40 * MEGABYTE, 0);
    let mut slow: Vec<Share> = (1..=4).map(|_| share(&memory, "192.0.2.1")).collect();
    assert!(slow.iter_mut().all(|one| one.grow_to(10 * MEGABYTE)));
    let mut other = share(&memory, "2001:db8::1");
    assert!(other.grow_to(15 * MEGABYTE));
    let gone: Vec<bool> = slow.iter().map(Share::is_given_up).collect();
    assert_eq!(gone, [true, true, false, false], "the oldest");
    assert!(!slow[0].grow_to(11 * MEGABYTE), "what is given up stays so");
    assert!(!slow[2].grow_to(20 * MEGABYTE), "the greatest gives way and takes nothing");
    assert_eq!(memory.free(), 5 * MEGABYTE);
    drop(slow);
    drop(other);
    assert_eq!(memory.free(), 40 * MEGABYTE);
}

#[test]
fn slow_messages_give_way_first_to_whatever_is_not() {
    let memory = MessageMemory::reserving(40 * MEGABYTE, 0);
    let mut all: Vec<Share> = (1..=4).map(|number| share(&memory, &format!("192.0.2.{number}"))).collect();
    assert!(all.iter_mut().all(|one| one.grow_to(10 * MEGABYTE)));
    all[2].set_slow(true);
    let mut other = share(&memory, "192.0.2.9");
    assert!(other.grow_to(9 * MEGABYTE));
    let gone: Vec<bool> = all.iter().map(Share::is_given_up).collect();
    assert_eq!(gone, [false, false, true, false]);
    assert!(!other.grow_to(20 * MEGABYTE), "no other holds more");
    all[0].set_slow(true);
    assert!(other.grow_to(20 * MEGABYTE));
    all[3].set_slow(true);
    assert!(!all[3].grow_to(15 * MEGABYTE), "a slow one takes from no other");
}

#[test]
fn a_network_of_ipv6_is_one_peer() {
    let memory = MessageMemory::reserving(30 * MEGABYTE, 0);
    let peers = ["2001:db8::1", "2001:db8::2", "2001:db8::3"];
    let mut all: Vec<Share> = peers.iter().map(|peer| share(&memory, peer)).collect();
    assert!(all.iter_mut().all(|one| one.grow_to(10 * MEGABYTE)));
    assert!(!share(&memory, "2001:db8::4").grow_to(MEGABYTE));
    assert!(share(&memory, "2001:db8:0:1::4").grow_to(MEGABYTE));
    assert_eq!(all.iter().filter(|one| one.is_given_up()).count(), 1);
}

#[test]
fn a_whole_message_is_not_given_up() {
    let memory = MessageMemory::reserving(10 * MEGABYTE, 0);
    let mut whole = share(&memory, "192.0.2.1");
    assert!(whole.grow_to(9 * MEGABYTE));
    assert!(whole.keep());
    assert!(!share(&memory, "192.0.2.2").grow_to(2 * MEGABYTE));
    assert!(!whole.is_given_up());
    drop(whole);
    assert_eq!(memory.free(), 10 * MEGABYTE);
}

#[tokio::test]
async fn who_is_given_up_is_told() {
    let memory = MessageMemory::reserving(MEGABYTE, 0);
    let mut one = share(&memory, "192.0.2.1");
    assert!(one.grow_to(MEGABYTE));
    let mut other = share(&memory, "192.0.2.2");
    assert!(other.grow_to(1000));
    one.given_up().wait().await;
}

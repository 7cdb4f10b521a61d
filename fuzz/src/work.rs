//! What reading costs, in counts that are the same on every machine: the stores of Depesch's own code, which in a build
//! without optimisation are several in each turn of a loop (the compiler has them call the functions below), and the bytes
//! that are allocated, by the parser below it too. What the standard library does for it calls nothing: that is seen in the
//! time that the thread computed, with ample room for slow machines.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

static mut STORES: u64 = 0;
static ALLOCATED: AtomicUsize = AtomicUsize::new(0);
static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST_HELD: AtomicUsize = AtomicUsize::new(0);

/// Called at each store of so many bytes. What is named like this is not instrumented, so it does not call itself; and it is
/// only counted, so that a race costs no more than a count.
macro_rules! stores {
    ($($name:ident)*) => {
        $(
            /// Counts one.
            #[unsafe(no_mangle)]
            pub extern "C" fn $name(_: *const u8) {
                unsafe { STORES += 1 }
            }
        )*
    };
}

stores!(__sanitizer_cov_store1 __sanitizer_cov_store2 __sanitizer_cov_store4 __sanitizer_cov_store8 __sanitizer_cov_store16);

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Relaxed);
        let held = HELD.fetch_add(layout.size(), Relaxed) + layout.size();
        MOST_HELD.fetch_max(held, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// What may be spent: so much for each byte that is read, and so much more.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Stores for each byte.
    pub steps: u64,
    /// Bytes held at the same time for each byte.
    pub held: usize,
    /// Nanoseconds of computing for each byte.
    pub nanoseconds: u64,
}

/// Whatever is read may take this.
const STEPS_MORE: u64 = 2_000_000;
const HELD_MORE: usize = 4 << 20;
const NANOSECONDS_MORE: u64 = 200_000_000;
/// Bytes allocated over time, for each byte held at the same time.
const TURNOVER: usize = 8;

/// Does the work of reading `length` bytes.
///
/// # Panics
/// When it spends more than the budget.
pub fn within<T>(budget: Budget, length: usize, work: impl FnOnce() -> T) -> T {
    let (steps, allocated, held) = (unsafe { STORES }, ALLOCATED.load(Relaxed), HELD.load(Relaxed));
    MOST_HELD.store(held, Relaxed);
    let began = computed();
    let done = work();
    let time = computed().saturating_sub(began);
    let steps = unsafe { STORES } - steps;
    let allocated = ALLOCATED.load(Relaxed) - allocated;
    let held = MOST_HELD.load(Relaxed) - held;
    if std::env::var_os("FUZZ_WORK").is_some() {
        eprintln!("{length} bytes: {steps} stores, {held} bytes held, {allocated} allocated, {time} ns");
    }
    let most = (budget.steps * length as u64 + STEPS_MORE, budget.held * length + HELD_MORE);
    assert!(steps <= most.0, "{length} bytes take {steps} stores");
    assert!(held <= most.1, "{length} bytes hold {held} bytes");
    assert!(allocated <= TURNOVER * most.1, "{length} bytes allocate {allocated} bytes");
    let longest = budget.nanoseconds * length as u64 + NANOSECONDS_MORE;
    assert!(time <= longest, "{length} bytes compute for {time} ns");
    done
}

/// How long this thread has computed, in nanoseconds; 0 where the kernel does not say.
fn computed() -> u64 {
    let said = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    said.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

//! The method of measurement: rounds that alternate between the contenders, so that other load on
//! the machine affects all of them, and clocks that count work and not waiting.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// The values of one contender, one per round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series(Vec<f64>);

impl Series {
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        Self(values.into_iter().collect())
    }

    /// Returns the value below which `share` of the values lie.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let place = (sorted.len().saturating_sub(1) as f64 * share).round() as usize;
        sorted.get(place).copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// Returns half the interquartile range, as a share of the median.
    pub(crate) fn spread(&self) -> f64 {
        (self.quantile(0.75) - self.quantile(0.25)) / 2.0 / self.median().abs()
    }

    /// Returns the ratio to another series, round by round.
    pub(crate) fn over(&self, other: &Self) -> Self {
        Self::of(self.0.iter().zip(&other.0).map(|(this, other)| this / other))
    }

    /// Returns the difference to another series, round by round.
    pub(crate) fn minus(&self, other: &Self) -> Self {
        Self::of(self.0.iter().zip(&other.0).map(|(this, other)| this - other))
    }

    pub(crate) fn map(&self, change: impl Fn(f64) -> f64) -> Self {
        Self::of(self.0.iter().map(|value| change(*value)))
    }
}

/// A contender: does its work once and returns the cost.
pub(crate) type Contender<'a> = &'a mut dyn FnMut() -> anyhow::Result<f64>;

/// Runs the contenders in turn, each once per round. The first one is the last in the next round.
/// One warm-up round is not counted.
pub(crate) fn rounds<const N: usize>(
    count: usize,
    mut contenders: [Contender<'_>; N],
) -> anyhow::Result<[Series; N]> {
    let mut values: [Series; N] = std::array::from_fn(|_| Series::default());
    for round in 0..=count {
        for step in 0..N {
            let place = (round + step) % N;
            let Some(contender) = contenders.get_mut(place) else { continue };
            let value = contender()?;
            if round > 0
                && let Some(series) = values.get_mut(place)
            {
                series.0.push(value);
            }
        }
    }
    Ok(values)
}

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// Returns the processor time of this thread.
pub(crate) fn thread_cpu() -> Duration {
    read(ClockId::ThreadCPUTime)
}

/// Returns the processor time of all threads of this process.
pub(crate) fn process_cpu() -> Duration {
    read(ClockId::ProcessCPUTime)
}

/// Returns the time of a clock that is the same for all processes of the machine, in nanoseconds.
pub(crate) fn machine_nanos() -> u64 {
    read(ClockId::Monotonic).as_nanos() as u64
}

/// Returns the kernel's coarse clock in milliseconds: the cheapest clock that needs no thread.
pub(crate) fn coarse_millis() -> u64 {
    #[cfg(target_os = "linux")]
    return read(ClockId::MonotonicCoarse).as_millis() as u64;
    #[cfg(not(target_os = "linux"))]
    return read(ClockId::Monotonic).as_millis() as u64;
}

/// Returns nanoseconds of this thread's work per operation.
pub(crate) fn cpu_each(operations: usize, work: impl FnOnce()) -> f64 {
    let before = thread_cpu();
    work();
    nanos(thread_cpu() - before) / operations as f64
}

/// Returns operations per second.
pub(crate) fn rate(operations: usize, begun: Instant) -> f64 {
    operations as f64 / begun.elapsed().as_secs_f64()
}

pub(crate) fn nanos(time: Duration) -> f64 {
    time.as_nanos() as f64
}

pub(crate) fn micros(time: Duration) -> f64 {
    nanos(time) / 1000.0
}

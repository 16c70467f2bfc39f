//! The whole of the `dynamo-server` binary: settings in, a running server, a clean stop on SIGTERM, SIGINT or SIGHUP.
//!
//! In the library, so that another program can be the server too: see `examples/dynamo_server.rs`.

use std::io::IsTerminal;
use std::num::NonZero;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

use crate::config::dynamodb_local::{self, Files};
use crate::config::{Cli, ClusterConfig, Command, Config, JoinRequest};
use crate::env::{Env, TokioEnv};
use crate::threads::Threads;
use crate::{Server, cluster, descriptors, healthcheck, log_output, skip_entry};

/// How often a node that was not ready when it started looks whether it is.
const READY_LOOK: Duration = Duration::from_millis(100);

/// How often the process looks at the memory that it holds: some microseconds of work.
#[cfg(all(feature = "rocksdb", target_os = "linux"))]
const MEMORY_LOOK: Duration = Duration::from_millis(50);
/// The same while it holds less than a quarter of what it may.
#[cfg(all(feature = "rocksdb", target_os = "linux"))]
const MEMORY_LOOK_FAR: Duration = Duration::from_millis(250);

/// Does what the arguments and environment of this process say, until it is told to stop.
pub fn run() -> ExitCode {
    refuse_huge_pages();
    keep_files_private();
    #[cfg(feature = "rocksdb")]
    crate::allocator::give_back_soon();
    give_back_large_blocks();
    let cli = Cli::from_process();
    #[cfg(feature = "fault-injection")]
    if let Err(error) = begin_with_faults(cli.faults.as_deref().unwrap_or_default()) {
        return refuse(error);
    }
    let config = match cli.command {
        Some(Command::Healthcheck { url, need }) => return healthcheck::run(url.as_deref(), need, &cli.settings),
        Some(Command::Recover { data_dir, survivors, confirm }) => {
            return cluster::recover::run(&data_dir, &survivors, confirm.as_deref());
        }
        Some(Command::SkipEntry { shard, entry, yes, settings }) => {
            return skip_entry::run(shard, entry, yes, &settings.over(cli.settings));
        }
        Some(Command::Cluster(command)) => return cluster::command::run(&command, &cli.settings),
        Some(Command::Join { peer_address, learner, settings }) => {
            Config::load_joining(settings.over(cli.settings), &JoinRequest { peer_address, promote: !learner })
        }
        None => Config::load(cli.settings),
    };
    match config {
        Ok(config) => {
            #[cfg(all(feature = "rocksdb", target_os = "linux"))]
            give_back_when_tight(config.memory.unwrap_or_else(crate::memory::default_bytes));
            serve(config)
        }
        Err(error) => refuse(error),
    }
}

/// Keeps memory in small pages. The allocator asks for pages of 2 MiB, and one item in such a page keeps all of it: a
/// third of the memory under load, for no time won (`docs/decisions/memory-pages.md`). Only a request to the kernel, so
/// its refusal changes nothing else.
fn refuse_huge_pages() {
    #[cfg(target_os = "linux")]
    // SAFETY: the call takes numbers and changes only how this process's memory is mapped from now on.
    unsafe {
        libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0);
    }
}

/// Whatever this process creates is for its own user only: RocksDB asks for files that everybody may read.
fn keep_files_private() {
    // SAFETY: the call takes a number and cannot fail.
    unsafe { libc::umask(0o077) };
}

#[cfg(feature = "fault-injection")]
fn begin_with_faults(script: &str) -> Result<(), String> {
    let commands = crate::faults::script(script).map_err(|error| error.to_string())?;
    crate::faults::execute_at_start(&commands).map_err(|error| error.to_string())
}

/// RocksDB allocates with the C library, write buffers in blocks of a megabyte. By default that library keeps freed blocks
/// of such a size for itself, in a heap per thread; here they go back to the kernel at once, and all threads share two
/// heaps.
fn give_back_large_blocks() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: the calls take numbers and change only where memory comes from from now on.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 2);
        // Setting it also ends its growing with every block that is freed.
        libc::mallopt(libc::M_MMAP_THRESHOLD, 256 << 10);
    }
}

/// Sees to it that freed memory goes back to the kernel at once where the process holds more than half of `bytes`, which it may
/// have. With less, it goes back when the allocator comes across it, which is cheaper.
#[cfg(all(feature = "rocksdb", target_os = "linux"))]
fn give_back_when_tight(bytes: usize) {
    use std::os::unix::fs::FileExt;

    /// Pages that the process holds: the second number of this file.
    const STATM: &str = "/proc/self/statm";
    // SAFETY: takes a number and returns one.
    let page_bytes = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096);
    let Ok(statm) = std::fs::File::open(STATM) else { return };
    let resident = move || {
        let mut text = [0; 128];
        let length = statm.read_at(&mut text, 0).ok()?;
        let pages: usize = std::str::from_utf8(&text[..length]).ok()?.split(' ').nth(1)?.parse().ok()?;
        Some(pages * page_bytes)
    };
    let watch = move || {
        while let Some(resident) = resident() {
            crate::allocator::note_tight(resident > bytes / 2);
            let is_far = resident < bytes / 4;
            std::thread::sleep(if is_far { MEMORY_LOOK_FAR } else { MEMORY_LOOK });
        }
    };
    // Without it memory goes back later.
    drop(std::thread::Builder::new().name("memory".to_owned()).stack_size(64 << 10).spawn(watch));
}

/// Has the kernel forget which pages of code this process has looked at. Starting goes through code in every corner, and with
/// each page come the fifteen around it: all but a ninth of the program, thirteen megabytes that count as this process's until
/// somebody else is short of memory. What is needed again is found in the kernel's cache, sixteen pages at a time.
fn let_go_of_code() {
    #[cfg(target_os = "linux")]
    for (start, end) in std::fs::read_to_string("/proc/self/maps").unwrap_or_default().lines().filter_map(code_of_file)
    {
        // SAFETY: code of a file, mapped for nobody to change, is the same when it is read again.
        unsafe { libc::madvise(std::ptr::without_provenance_mut(start), end - start, libc::MADV_DONTNEED) };
    }
}

/// The addresses of a mapping, if it is code of a file that cannot be changed in memory: of a line of `/proc/self/maps`.
#[cfg(target_os = "linux")]
fn code_of_file(line: &str) -> Option<(usize, usize)> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let address = |digits| usize::from_str_radix(digits, 16).ok();
    let (is_code, inode) = (fields.next()? == "r-xp", fields.nth(2)?);
    if is_code && inode != "0" { Some((address(start)?, address(end)?)) } else { None }
}

fn refuse(error: impl std::fmt::Display) -> ExitCode {
    log_output::say(&format!("dynamo-server: {error}"));
    ExitCode::FAILURE
}

/// Says why and ends the process on the spot. Threads of a node that failed may still hold its stores, and the usual way
/// out tears RocksDB's globals down under them, which ends in an abort that hides the reason. Nothing is lost: what was
/// acknowledged is in the log.
fn abandon(error: impl std::fmt::Display) -> ! {
    let _ = refuse(error);
    // SAFETY: takes a number and does not return.
    unsafe { libc::_exit(1) }
}

fn serve(config: Config) -> ExitCode {
    if let Err(error) = start_log(&config) {
        return refuse(error);
    }
    if let Some(dir) = &config.data_dir {
        match dynamodb_local::files_at(dir) {
            Files::None => {}
            Files::Itself => {
                return refuse(format_args!(
                    "{} is a file of DynamoDB Local, which this server does not read: --data-dir names a folder of its own",
                    dir.display()
                ));
            }
            Files::In(names) => warn!(
                "{} has files of DynamoDB Local ({}): they are not read and stay as they are; this server's tables are its own",
                dir.display(),
                names.join(", ")
            ),
        }
    }
    descriptors::raise();
    let processors = available_parallelism().map_or(1, NonZero::get);
    let threads = Threads::of(processors, config.shards_of_new_data() == 1, config.cluster.is_none());
    let ended = match threads.start_node() {
        Ok(runtime) => runtime.block_on(run_server(config, threads)),
        Err(error) => refuse(error),
    };
    log_output::flush();
    ended
}

fn start_log(config: &Config) -> Result<(), String> {
    let filter = log_filter(&config.log_filter).map_err(|reason| format!("--log-level: {reason}"))?;
    let colours = std::io::stderr().is_terminal();
    let output = log_output::standard_error().map_err(|error| format!("no thread for the log: {error}"))?;
    let lines = tracing_subscriber::fmt::layer().with_writer(move || output.clone()).with_ansi(colours);
    let registry = tracing_subscriber::registry().with(filter);
    if config.log_json {
        registry.with(lines.json()).init();
    } else {
        registry.with(lines.with_target(false)).init();
    }
    log_output::log_panics();
    Ok(())
}

/// Levels from `info,openraft=error`: one for everything, and others for single modules. Of `tracing_subscriber`'s own
/// readers, one takes a misspelt level for a module, and the other brings regular expressions.
fn log_filter(text: &str) -> Result<Targets, String> {
    let mut filter = Targets::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let level = |name: &str| match name.trim() {
            "" => Err(format!("{part:?} names no level")),
            name => name.parse::<LevelFilter>().map_err(|_| format!("{name:?} is no level: {LEVELS}")),
        };
        filter = match part.split_once('=') {
            None => filter.with_default(level(part)?),
            Some((module, name)) if is_module(module.trim()) => filter.with_target(module.trim(), level(name)?),
            Some((module, _)) => {
                return Err(format!("{module:?} is no module, such as openraft or dynamo_server::http"));
            }
        };
    }
    Ok(filter)
}

/// What can be said of a module.
const LEVELS: &str =
    "it is one of off, error, warn, info, debug and trace, or MODULE=LEVEL, with commas between several";

/// Whether a name can be a module's, or a part of one's.
fn is_module(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_:-".contains(&byte))
}

async fn run_server(config: Config, threads: Threads) -> ExitCode {
    let place = match &config.data_dir {
        Some(dir) => format!("data in {} (every acknowledged write is on disk)", dir.display()),
        None => "data in memory only (nothing survives a stop)".to_owned(),
    };
    let (mut terminate, mut interrupt) = match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
        (Ok(terminate), Ok(interrupt)) => (terminate, interrupt),
        (Err(error), _) | (_, Err(error)) => return refuse(error),
    };
    let mut hang_up = if is_ignored(libc::SIGHUP) { None } else { signal(SignalKind::hangup()).ok() };
    let loops = match threads.start_loops() {
        Ok(loops) => loops,
        Err(error) => return refuse(error),
    };
    let cluster = config.cluster.clone();
    let server = match Server::start_on(config, loops).await {
        Ok(server) => server,
        Err(error) => abandon(error),
    };
    if let Some(cluster) = cluster {
        tell_of_cluster(&server, &cluster);
    }
    let program = concat!("dynamo-server ", env!("CARGO_PKG_VERSION"));
    let ready = async {
        if let Some(reason) = server.node().health().first_hindrance() {
            info!("{program} listens on {}, {place}; not ready yet: {reason}", server.endpoint_url());
            while !server.node().health().is_ready() {
                TokioEnv::sleep(READY_LOOK).await;
            }
        }
        info!("{program} ready on {}, {place}", server.endpoint_url());
        let_go_of_code();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = ready => {}
        _ = terminate.recv() => info!("SIGTERM: finishing the requests in flight"),
        _ = interrupt.recv() => info!("SIGINT: finishing the requests in flight"),
        () = received(&mut hang_up) => info!("SIGHUP: finishing the requests in flight"),
        reason = server.failed() => {
            // Clients need not wait for an election, and this node hears no more whether one was needed: its peers get no
            // answers.
            let _ = TokioEnv::timeout(FAREWELL_MAX, server.node().hand_over()).await;
            abandon(format!("stopped: {reason}"))
        }
    }
    let progress = Arc::clone(server.node().stop_progress());
    tokio::select! {
        () = server.stop() => {}
        _ = terminate.recv() => leave("a second SIGTERM"),
        _ = interrupt.recv() => leave("a second SIGINT"),
        () = TokioEnv::sleep(STOP_MAX) => leave(progress.step().what_holds()),
    }
    info!("stopped");
    ExitCode::SUCCESS
}

/// How long a node that a fault stops may take to have others lead.
const FAREWELL_MAX: Duration = Duration::from_secs(2);

/// How long an ordinary stop may take: requests in flight have seven seconds, and leaderships are handed over within one. What is
/// left then is the disk's.
const STOP_MAX: Duration = Duration::from_secs(10);

/// Whether whoever started this process had it ignore the signal, as `nohup` does.
fn is_ignored(signal: libc::c_int) -> bool {
    // SAFETY: plain data, of which zeros are a value; the call only writes it.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: without a new action the call only reports the present one, into the place given.
    let status = unsafe { libc::sigaction(signal, std::ptr::null(), &mut action) };
    status == 0 && action.sa_sigaction == libc::SIG_IGN
}

/// Waits for the signal; for ever where none is waited for.
async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Ends the process on the spot, as after a kill: what was acknowledged is in the log, and the next start replays it.
fn leave(why: &str) -> ! {
    tracing::warn!("ends before everything is written out ({why}): the next start replays more of the log");
    log_output::flush();
    // SAFETY: takes a number and does not return.
    unsafe { libc::_exit(0) }
}

fn tell_of_cluster(server: &Server, cluster: &ClusterConfig) {
    let identity = server.node().identity();
    let members: Vec<String> = cluster.members.iter().map(|(node, address)| format!("{node}={address}")).collect();
    let listens = server.peer_address().map_or("nowhere".to_owned(), |address| address.to_string());
    info!(
        "node {} of cluster {:032x}: listens for peers on {listens}, was told of {}; {}",
        identity.node_id,
        identity.cluster_id,
        members.join(", "),
        cluster::counted(identity.shards as usize, "shard")
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    #[test]
    fn levels_are_read_for_all_and_for_single_modules() {
        let filter = log_filter("info, openraft=error,dynamo_server::http=trace,").expect("a filter");
        assert!(filter.would_enable("dynamo_server::node", &Level::INFO));
        assert!(!filter.would_enable("dynamo_server::node", &Level::DEBUG));
        assert!(filter.would_enable("dynamo_server::http::body", &Level::TRACE));
        assert!(!filter.would_enable("openraft::core", &Level::WARN));
        assert!(!log_filter("off").expect("a filter").would_enable("x", &Level::ERROR));
        assert!(log_filter("DEBUG").expect("a filter").would_enable("x", &Level::DEBUG));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn only_code_of_files_is_let_go() {
        let code = "55bc13be0000-55bc14b46000 r-xp 00402000 fe:00 10018821                   /usr/bin/dynamo server";
        assert_eq!(code_of_file(code), Some((0x55bc13be0000, 0x55bc14b46000)));
        for other in [
            "55bc137dd000-55bc13be0000 r--p 00000000 fe:00 10018821 /usr/bin/dynamo-server",
            "55bc137dd000-55bc13be0000 rwxp 00000000 fe:00 10018821 /usr/bin/dynamo-server",
            "7ffd4a5fe000-7ffd4a600000 r-xp 00000000 00:00 0 [vdso]",
            "7ffd4a5fe000-7ffd4a600000 r-xp 00000000",
            "",
        ] {
            assert_eq!(code_of_file(other), None, "{other}");
        }
        let before = std::fs::read_to_string("/proc/self/maps").expect("Linux has it");
        assert!(before.lines().filter_map(code_of_file).count() > 0);
        let_go_of_code();
    }

    #[test]
    fn unknown_log_levels_are_refused() {
        for wrong in ["inof", "=,=", "openraft=", "=info", "openraft=loud", "info,x[span]=debug", "info;openraft=error"]
        {
            assert!(log_filter(wrong).is_err(), "{wrong}");
        }
    }
}

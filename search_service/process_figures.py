"""What the system says of this process."""

import psutil


def process_figures() -> dict[str, int]:
    """Its id, the memory it keeps from others (resident, bytes), its threads, and its open files and sockets."""
    process = psutil.Process()
    with process.oneshot():
        return {
            "id": process.pid,
            "memory": process.memory_info().rss,
            "threads": process.num_threads(),
            "open_files": process.num_fds(),
        }

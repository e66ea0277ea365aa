package dbtest

import "syscall"

// tmpfs is a file system in memory. A server's first start writes a thousand files, and much
// of what tests wait for is the disk.
const tmpfs = "/dev/shm"

const (
	tmpfsMagic   = 0x01021994
	enoughTmpfs  = 8 << 30  // bytes
	enoughMemory = 16 << 30 // bytes
)

// hasMemory says that servers can have their files in memory. The answer is the same in each
// process of this machine, which the locks of ports need: what is free now is not asked.
func hasMemory() bool {
	var fs syscall.Statfs_t
	var machine syscall.Sysinfo_t
	return syscall.Statfs(tmpfs, &fs) == nil && fs.Type == tmpfsMagic &&
		float64(fs.Blocks)*float64(fs.Bsize) >= enoughTmpfs &&
		syscall.Sysinfo(&machine) == nil && float64(machine.Totalram)*float64(machine.Unit) >= enoughMemory
}

package controlplane

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Process is a program that was started here, and is ended here.
type Process struct {
	cmd  *exec.Cmd
	log  string // file of its output
	done chan struct{}
}

// StartProcess starts bin in dir, its output in a file there. It does not outlive the process that called this.
func StartProcess(dir, bin string, args ...string) (*Process, error) {
	return StartProcessWith(nil, dir, bin, args...)
}

// StartProcessWith is StartProcess with variables (NAME=VALUE) in the environment that this process does not have.
func StartProcessWith(env []string, dir, bin string, args ...string) (*Process, error) {
	p := &Process{log: filepath.Join(dir, filepath.Base(bin)+".log"), done: make(chan struct{})}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p.cmd = exec.Command(bin, args...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, out, out
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", bin, err)
	}
	go func() {
		_ = p.cmd.Wait() // the log says why, where it matters
		close(p.done)
	}()
	return p, nil
}

// Run starts a program that ends with this process, its output in a file in dir.
func Run(dir, bin string, args ...string) error {
	_, err := StartProcess(dir, bin, args...)
	return err
}

// Stop kills the process and waits for its end.
func (p *Process) Stop() {
	_ = p.cmd.Process.Kill() // gone already is as good
	<-p.done
}

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends the process a signal.
func (p *Process) Signal(sig os.Signal) error { return p.cmd.Process.Signal(sig) }

// Log is all that the process has printed.
func (p *Process) Log() (string, error) {
	text, err := os.ReadFile(p.log)
	return string(text), err
}

// Exited returns an error with the end of the log if the process has ended. Of no process it returns nil.
func (p *Process) Exited() error {
	if p == nil {
		return nil
	}
	select {
	case <-p.done:
		text, _ := p.Log() // none says enough
		return fmt.Errorf("%s ended: %s", p.cmd.Path, text[max(0, len(text)-2000):])
	default:
		return nil
	}
}

// Poll calls try until it returns nil or p ends, and when the time is up once more: a busy machine may have done
// nothing since the call before.
func Poll(limit time.Duration, p *Process, try func() error) error {
	deadline := time.Now().Add(limit)
	for {
		last := time.Now().After(deadline)
		err := try()
		if err == nil {
			return nil
		}
		if exit := p.Exited(); exit != nil {
			return exit
		}
		if last {
			return fmt.Errorf("not after %s: %w", limit, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

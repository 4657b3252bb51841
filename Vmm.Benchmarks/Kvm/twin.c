// SPDX-License-Identifier: BSD-2-Clause
//
// The C side of the pairs in KvmPairs.cs: the same guests, the same number of exits, the smallest loop that does the job.
// Prints one figure: nanoseconds for each operation, or microseconds of lateness.
//
//   twin MODE COUNT      MODE is one of the names in main()

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define MEMORY_LENGTH 0x200000
#define CODE_ADDRESS 0x1000
#define KICK_SIGNAL 40

struct guest {
    int vm;
    int vcpu;
    size_t page_length;
    struct kvm_run *run;
    unsigned char *memory;
};

static int kvm;
static struct kvm_cpuid2 *cpuid;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void create(struct guest *g, const unsigned char *code, size_t length)
{
    g->vm = ioctl(kvm, KVM_CREATE_VM, 0);
    if (g->vm < 0) {
        die("KVM_CREATE_VM");
    }
    g->memory = mmap(NULL, MEMORY_LENGTH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    struct kvm_userspace_memory_region region = {
        .memory_size = MEMORY_LENGTH,
        .userspace_addr = (uintptr_t)g->memory,
    };
    if (ioctl(g->vm, KVM_SET_USER_MEMORY_REGION, &region) < 0) {
        die("KVM_SET_USER_MEMORY_REGION");
    }
    struct kvm_enable_cap msr = { .cap = KVM_CAP_X86_USER_SPACE_MSR, .args = { KVM_MSR_EXIT_REASON_UNKNOWN } };
    if (ioctl(g->vm, KVM_ENABLE_CAP, &msr) < 0) {
        die("KVM_ENABLE_CAP");
    }
    g->vcpu = ioctl(g->vm, KVM_CREATE_VCPU, 0);
    g->page_length = (size_t)ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    g->run = mmap(NULL, g->page_length, PROT_READ | PROT_WRITE, MAP_SHARED, g->vcpu, 0);
    if (g->run == MAP_FAILED) {
        die("mmap");
    }
    if (ioctl(g->vcpu, KVM_SET_CPUID2, cpuid) < 0) {
        die("KVM_SET_CPUID2");
    }

    memcpy(g->memory + CODE_ADDRESS, code, length);
    struct kvm_sregs sregs;
    if (ioctl(g->vcpu, KVM_GET_SREGS, &sregs) < 0) {
        die("KVM_GET_SREGS");
    }
    sregs.cs.base = 0;
    sregs.cs.selector = 0;
    sregs.ds.base = MEMORY_LENGTH;
    if (ioctl(g->vcpu, KVM_SET_SREGS, &sregs) < 0) {
        die("KVM_SET_SREGS");
    }
    struct kvm_regs regs = { .rip = CODE_ADDRESS, .rflags = 2, .rsp = 0x8000 };
    if (ioctl(g->vcpu, KVM_SET_REGS, &regs) < 0) {
        die("KVM_SET_REGS");
    }
}

static void destroy(struct guest *g)
{
    munmap(g->run, g->page_length);
    close(g->vcpu);
    close(g->vm);
    munmap(g->memory, MEMORY_LENGTH);
}

static void run(struct guest *g)
{
    while (ioctl(g->vcpu, KVM_RUN, 0) < 0) {
        if (errno != EINTR) {
            die("KVM_RUN");
        }
    }
}

// Exits that need no answer, or one that stays the same.
static double exits(const unsigned char *code, size_t length, uint32_t reason, int count, int complete)
{
    struct guest g;
    create(&g, code, length);
    run(&g);
    uint64_t sum = 0;
    uint64_t start = now();
    for (int i = 0; i < count; i++) {
        if (g.run->exit_reason != reason) {
            fprintf(stderr, "exit %u\n", g.run->exit_reason);
            exit(1);
        }
        switch (reason) {
        case KVM_EXIT_IO:
            sum += *((unsigned char *)g.run + g.run->io.data_offset);
            break;
        case KVM_EXIT_MMIO:
            sum += g.run->mmio.data[0];
            break;
        default:
            g.run->msr.data = sum;
            g.run->msr.error = 0;
            break;
        }
        if (complete) {
            g.run->immediate_exit = 1;
            if (ioctl(g.vcpu, KVM_RUN, 0) == 0 || errno != EINTR) {
                die("completion");
            }
            g.run->immediate_exit = 0;
        }
        run(&g);
    }
    uint64_t end = now();
    destroy(&g);
    return (double)(end - start) / count;
}

static double lifecycle(int count)
{
    static const unsigned char code[] = { 0xe6, 0x99, 0xf4 }; // out 0x99,al; hlt
    uint64_t start = now();
    for (int i = 0; i < count; i++) {
        struct guest g;
        create(&g, code, sizeof(code));
        run(&g);
        destroy(&g);
    }
    return (double)(now() - start) / count;
}

static struct guest spinning;
static atomic_int returns;
static atomic_ullong returned_at;
static atomic_int spinner_tid;

static void *spin(void *unused)
{
    (void)unused;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, KICK_SIGNAL);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    struct {
        struct kvm_signal_mask head;
        uint64_t mask;
    } __attribute__((packed)) mask = { .head = { .len = 8 }, .mask = 0 };
    if (ioctl(spinning.vcpu, KVM_SET_SIGNAL_MASK, &mask) < 0) {
        die("KVM_SET_SIGNAL_MASK");
    }
    atomic_store(&spinner_tid, gettid());
    for (;;) {
        ioctl(spinning.vcpu, KVM_RUN, 0);
        atomic_store(&returned_at, now());
        spinning.run->immediate_exit = 0;
        struct timespec zero = { 0 };
        sigtimedwait(&set, NULL, &zero);
        atomic_fetch_add(&returns, 1);
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static double kick(int count)
{
    static const unsigned char code[] = { 0xeb, 0xfe }; // jmp $
    signal(KICK_SIGNAL, SIG_IGN);
    create(&spinning, code, sizeof(code));
    pthread_t thread;
    pthread_create(&thread, NULL, spin, NULL);
    while (atomic_load(&spinner_tid) == 0) {
    }
    uint64_t *samples = calloc((size_t)count, sizeof(*samples));
    for (int i = 0; i < count; i++) {
        usleep(200);
        int before = atomic_load(&returns);
        uint64_t start = now();
        spinning.run->immediate_exit = 1;
        tgkill(getpid(), atomic_load(&spinner_tid), KICK_SIGNAL);
        while (atomic_load(&returns) == before) {
        }
        samples[i] = atomic_load(&returned_at) - start;
    }
    qsort(samples, (size_t)count, sizeof(*samples), compare);
    return (double)samples[count / 2];
}


/* How late, in microseconds, a loop over a timerfd that expires every millisecond sees an expiry, at a percentile. */
static double lateness(int count, int percentile)
{
    const long period = 1000000;
    uint64_t *late = calloc(count, sizeof(uint64_t));
    int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    long due = now.tv_sec * 1000000000L + now.tv_nsec;
    for (int i = 0; i < count; i++) {
        due += period;
        struct itimerspec next = { .it_value = { due / 1000000000L, due % 1000000000L } };
        uint64_t expiries;
        if (timerfd_settime(timer, TFD_TIMER_ABSTIME, &next, NULL) < 0 || read(timer, &expiries, sizeof(expiries)) < 0) {
            die("timerfd");
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
        late[i] = now.tv_sec * 1000000000L + now.tv_nsec - due;
        while (now.tv_sec * 1000000000L + now.tv_nsec > due + period) {
            due += period;
        }
    }
    qsort(late, count, sizeof(uint64_t), compare);
    double result = late[(long)(count - 1) * percentile / 100] / 1000.0;
    free(late);
    close(timer);
    return result;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "twin MODE COUNT\n");
        return 64;
    }
    static const unsigned char out[] = { 0xe6, 0x99, 0xeb, 0xfc };                   // L: out 0x99,al; jmp L
    static const unsigned char in[] = { 0xe4, 0x99, 0xeb, 0xfc };                    // L: in al,0x99; jmp L
    static const unsigned char mmio[] = { 0xa2, 0x00, 0x00, 0xeb, 0xfb };            // L: mov [0],al; jmp L
    static const unsigned char msr[] = { 0x66, 0xb9, 0, 0, 0x4d, 0x4b, 0x0f, 0x32, 0xeb, 0xfc };
    const char *mode = argv[1];
    int count = atoi(argv[2]);
    kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (kvm < 0) {
        die("/dev/kvm");
    }
    cpuid = calloc(1, sizeof(*cpuid) + 256 * sizeof(struct kvm_cpuid_entry2));
    cpuid->nent = 256;
    if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid) < 0) {
        die("KVM_GET_SUPPORTED_CPUID");
    }
    double result;
    if (strcmp(mode, "out") == 0) {
        result = exits(out, sizeof(out), KVM_EXIT_IO, count, 0);
    } else if (strcmp(mode, "in") == 0) {
        result = exits(in, sizeof(in), KVM_EXIT_IO, count, 0);
    } else if (strcmp(mode, "in-complete") == 0) {
        result = exits(in, sizeof(in), KVM_EXIT_IO, count, 1);
    } else if (strcmp(mode, "mmio") == 0) {
        result = exits(mmio, sizeof(mmio), KVM_EXIT_MMIO, count, 0);
    } else if (strcmp(mode, "msr") == 0) {
        result = exits(msr, sizeof(msr), KVM_EXIT_X86_RDMSR, count, 0);
    } else if (strcmp(mode, "lifecycle") == 0) {
        result = lifecycle(count);
    } else if (strcmp(mode, "late50") == 0) {
        result = lateness(count, 50);
    } else if (strcmp(mode, "late99") == 0) {
        result = lateness(count, 99);
    } else if (strcmp(mode, "kick") == 0) {
        result = kick(count);
    } else {
        fprintf(stderr, "unknown mode %s\n", mode);
        return 64;
    }
    printf("%.1f\n", result);
    return 0;
}

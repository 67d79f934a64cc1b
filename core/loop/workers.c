/* workers.c: threads for what may wait; results come back as posts.
 *
 * Own threads rather than GLib's pool: those are shared by the process and outlive their pool,
 * which a role that forks cannot have, and the thread sanitizer cannot see their hand-over. */
#include "config.h"

#include "loop/loop.h"

#include <pthread.h>

typedef struct Task Task;
struct Task {
    Task *next;
    HkWorkers *workers;
    void (*work) (void *data);
    void (*done) (void *data);
    void *data;
};

struct HkWorkers {
    HkLoop *loop;
    unsigned max_threads;
    unsigned pending; /* loop thread: tasks whose `done` has not run */
    bool is_freed;    /* loop thread: the last `done` frees it */
    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t changed;
    Task *first, **end;
    pthread_t *threads;
    unsigned n_threads, n_idle;
    bool is_ending;
};

static void
free_workers (HkWorkers *self)
{
    pthread_mutex_destroy (&self->lock);
    pthread_cond_destroy (&self->changed);
    g_free (self->threads);
    g_free (self);
}

static void
task_done (void *data)
{
    Task *task = data;
    HkWorkers *self = task->workers;
    self->pending--;
    if (task->done != NULL)
        task->done (task->data);
    g_free (task);
    if (self->is_freed && self->pending == 0)
        free_workers (self);
}

static Task *
next_task (HkWorkers *self)
{
    while (self->first == NULL && !self->is_ending) {
        self->n_idle++;
        pthread_cond_wait (&self->changed, &self->lock);
        self->n_idle--;
    }
    Task *task = self->first;
    if (task != NULL && (self->first = task->next) == NULL)
        self->end = &self->first;
    return task;
}

static void *
thread_main (void *data)
{
    HkWorkers *self = data;
    Task *task;
    pthread_mutex_lock (&self->lock);
    while ((task = next_task (self)) != NULL) {
        pthread_mutex_unlock (&self->lock);
        task->work (task->data);
        hk_loop_post (task->workers->loop, task_done, task);
        pthread_mutex_lock (&self->lock);
    }
    pthread_mutex_unlock (&self->lock);
    return NULL;
}

HkWorkers *
hk_workers_new (HkLoop *loop, unsigned max_threads)
{
    HkWorkers *self = g_new0 (HkWorkers, 1);
    self->loop = loop;
    self->max_threads = MAX (max_threads, 1u);
    self->threads = g_new0 (pthread_t, self->max_threads);
    self->end = &self->first;
    pthread_mutex_init (&self->lock, NULL);
    pthread_cond_init (&self->changed, NULL);
    return self;
}

/* What is queued still runs; results that were not fetched yet arrive later, from the loop. */
void
hk_workers_free (HkWorkers *self)
{
    if (self == NULL)
        return;
    pthread_mutex_lock (&self->lock);
    self->is_ending = true;
    pthread_cond_broadcast (&self->changed);
    pthread_mutex_unlock (&self->lock);
    for (unsigned i = 0; i < self->n_threads; i++)
        pthread_join (self->threads[i], NULL);
    self->is_freed = true;
    if (self->pending == 0)
        free_workers (self);
}

/* Under the lock.  A thread that cannot be started now leaves the task to those that run;
 * without any, the process cannot do its work and says so. */
static void
start_thread (HkWorkers *self)
{
    if (pthread_create (&self->threads[self->n_threads], NULL, thread_main, self) == 0)
        self->n_threads++;
    else if (self->n_threads == 0)
        g_error ("cannot start a worker thread");
}

void
hk_workers_run (HkWorkers *self, void (*work) (void *), void (*done) (void *), void *data)
{
    Task *task = g_new (Task, 1);
    *task = (Task) { NULL, self, work, done, data };
    self->pending++;
    pthread_mutex_lock (&self->lock);
    *self->end = task;
    self->end = &task->next;
    if (self->n_idle == 0 && self->n_threads < self->max_threads)
        start_thread (self);
    pthread_cond_signal (&self->changed);
    pthread_mutex_unlock (&self->lock);
}

unsigned
hk_workers_pending (HkWorkers *self)
{
    return self->pending;
}

/* What the C library of Windows has and its headers do not declare for programs in plain C. */
#ifndef SHMKIT_WIN32_C_LIBRARY_H
#define SHMKIT_WIN32_C_LIBRARY_H

/* A number that nobody can guess; 0 when there is one. */
int rand_s(unsigned int *word);

#endif

;; `embed` answers what no memory of its size can hold, or what is no text; the number of texts says
;; how: 1, values whose bytes are more than 32 bits count; 2, as many values as 32 bits count; 3,
;; values that are not aligned; 4, flags that begin in memory and end beyond it; 5, an error whose
;; message lies beyond the end of memory; 6, one whose code is a lone surrogate; 7, an overlong
;; encoding; 8, a character that is cut off; 9, a case of the result that does not exist; 10, values and
;; flags that are the same bytes, which is allowed.
;;
;; Promise: an answer that cannot be read is the guest's failure, not the host's. Expected:
;; `guest.trap`; for 10 an answer of [0.0, …].
(component
  (core module $guest
    (memory (export "memory") 1)
    ;; Both answers are zeros: `ok`, and empty strings and lists.
    (func (export "init") (result i32) (i32.const 16))
    (func (export "describe") (result i32) (i32.const 16))
    ;; `embed` answers one text with the vector [0.0] and no truncation: the fields of the answer
    ;; from 64 on, its values at 128, its flags at 132.
    (data (i32.const 64) "\00\00\00\00" "\01\00\00\00" "\80\00\00\00\01\00\00\00"
                         "\84\00\00\00\01\00\00\00")
    (data (i32.const 160) "\00\00\00\00" "\01\00\00\00" "\80\00\00\00\01\00\00\40"
                          "\84\00\00\00\01\00\00\00")
    (data (i32.const 192) "\00\00\00\00" "\01\00\00\00" "\80\00\00\00\ff\ff\ff\ff"
                          "\84\00\00\00\01\00\00\00")
    (data (i32.const 224) "\00\00\00\00" "\01\00\00\00" "\82\00\00\00\01\00\00\00"
                          "\84\00\00\00\01\00\00\00")
    (data (i32.const 256) "\00\00\00\00" "\01\00\00\00" "\80\00\00\00\01\00\00\00"
                          "\ff\ff\00\00\02\00\00\00")
    (data (i32.const 288) "\01\00\00\00" "\00\02\00\00\01\00\00\00" "\ff\ff\00\00\02\00\00\00")
    (data (i32.const 320) "\01\00\00\00" "\00\02\00\00\03\00\00\00")
    (data (i32.const 352) "\01\00\00\00" "\10\02\00\00\02\00\00\00")
    (data (i32.const 384) "\01\00\00\00" "\20\02\00\00\02\00\00\00")
    (data (i32.const 416) "\ff")
    (data (i32.const 448) "\00\00\00\00" "\01\00\00\00" "\80\00\00\00\0a\00\00\00"
                          "\80\00\00\00\0a\00\00\00")
    (data (i32.const 512) "\ed\a0\80")
    (data (i32.const 528) "\c0\80")
    (data (i32.const 544) "\e2\82")
    (func (export "embed") (param $texts i32) (param $count i32) (result i32)
      (if (i32.eq (local.get $count) (i32.const 1)) (then (return (i32.const 160))))
      (if (i32.eq (local.get $count) (i32.const 2)) (then (return (i32.const 192))))
      (if (i32.eq (local.get $count) (i32.const 3)) (then (return (i32.const 224))))
      (if (i32.eq (local.get $count) (i32.const 4)) (then (return (i32.const 256))))
      (if (i32.eq (local.get $count) (i32.const 5)) (then (return (i32.const 288))))
      (if (i32.eq (local.get $count) (i32.const 6)) (then (return (i32.const 320))))
      (if (i32.eq (local.get $count) (i32.const 7)) (then (return (i32.const 352))))
      (if (i32.eq (local.get $count) (i32.const 8)) (then (return (i32.const 384))))
      (if (i32.eq (local.get $count) (i32.const 9)) (then (return (i32.const 416))))
      (if (i32.eq (local.get $count) (i32.const 10)) (then (return (i32.const 448))))
      (i32.const 64))
    (func (export "cleanup") (param i32))
    ;; Never frees; starts above everything else.
    (global $top (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $top)
      (global.set $top
        (i32.and
          (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 7)) (i32.const -8))))
  )
  (core instance $guest (instantiate $guest))

  ;; contract: text-embedding
)
